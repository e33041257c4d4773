"""The pages of members and invites: who is there, who may change what, and what becomes of keys."""

from __future__ import annotations

import csv
import datetime
import io
import re
from collections.abc import Iterator
from decimal import Decimal

import pytest
from allauth.mfa.models import Authenticator
from django.conf import settings
from django.db import connection
from django.test import Client, override_settings
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from pydantic import SecretStr

from admin_api.actions import api_keys, invites, memberships, service_accounts, workspace_members, workspaces
from admin_api.actor import SYSTEM
from dashboard.members.invitations import addresses_in
from gateway.email_url import settings_of
from gateway.models import ApiKey, ApiKeyUse, AuditEntry, Invite, Mail, Membership, User
from tests.admin_api.spending import spent
from tests.dashboard.test_pages import as_, freshly
from tests.dashboard.test_workspaces import rows
from tests.people import Cast, person

pytestmark = pytest.mark.django_db


@pytest.fixture
def mailing() -> Iterator[None]:
    """Mail leaves here; nothing is sent in these tests."""
    url = "smtp://127.0.0.1:1"
    update = {"email_url": SecretStr(url), "email_settings": settings_of(url)}
    with override_settings(CONFIGURATION=settings.CONFIGURATION.model_copy(update=update)):
        yield


def key_for(people: Cast, user: User | None, name: str = "laptop") -> ApiKey:
    """Of the default workspace, made by Dev."""
    return api_keys.create(
        actor=SYSTEM,
        organization=people.acme,
        workspace=people.acme.workspaces.get(is_default=True),
        name=name,
        user=user,
        created_by=people.dev,
    )[0]


def last_used(key: ApiKey, at: datetime.datetime) -> None:
    assert ApiKeyUse.objects.filter(api_key=key).update(at=at) == 1


def invited(people: Cast, email: str = "new@example.com") -> tuple[Invite, str]:
    return invites.create(actor=SYSTEM, organization=people.acme, email=email, role="developer")


# --- The list ---


def test_the_list_tells_roles_workspaces_last_seen_and_spend(client: Client, people: Cast) -> None:
    seen = datetime.datetime(2026, 3, 5, 14, 7, tzinfo=datetime.UTC)
    for name in ("Lab", "Research", "Zoo"):
        lab = workspaces.create(actor=SYSTEM, organization=people.acme, name=name)
        workspace_members.add(
            actor=SYSTEM, workspace=lab, membership=people.dev.memberships.get(), role="workspace_user"
        )
    key = key_for(people, people.dev)
    spent(key, "1.2345678")
    last_used(key, seen + datetime.timedelta(days=1))
    spent(key_for(people, None), "100")
    User.objects.filter(pk=people.bill.pk).update(last_login=seen)

    User.objects.filter(pk=people.dev.pk).update(last_login=seen)

    for user, kind in (
        (people.dev, Authenticator.Type.TOTP),
        (people.uma, Authenticator.Type.RECOVERY_CODES),
    ):
        Authenticator.objects.create(user=user, type=kind, data={})

    page = as_(client, people.ada).get("/members").content.decode()

    found = {row[0].split()[0]: row[1:] for row in rows(page)}
    assert list(found) == ["Uma", "Bill", "Dev", "Ada"]
    assert found["Ada"][:2] == ["Admin", "All"]
    assert found["Bill"] == ["Billing", "All", "Off", "Mar 5, 2026, 14:07", "$0.00"]
    assert found["Dev"] == ["Developer", "Default, Lab and 2 more", "On", "Mar 6, 2026, 14:07", "$1.23"]
    assert found["Uma"] == ["User", "Default", "Off", "Never", "$0.00"]
    assert 'title="$1.2345678"' in page


def test_the_list_is_filtered_by_name_address_and_role(client: Client, people: Cast) -> None:
    as_(client, people.ada)

    names = [
        [row[0].split()[0] for row in rows(client.get(f"/members?{query}").content.decode())]
        for query in ("q=DEV", "q=@example.com", "role=billing", "q=a&role=admin", "q=zebra", "role=nonsense")
    ]

    assert names == [
        ["Dev"],
        ["Uma", "Bill", "Dev", "Ada"],
        ["Bill"],
        ["Ada"],
        [],
        ["Uma", "Bill", "Dev", "Ada"],
    ]


def test_the_list_costs_the_same_whatever_its_length(client: Client, people: Cast) -> None:
    as_(client, people.ada)
    with CaptureQueriesContext(connection) as short:
        client.get("/members")
    for n in range(10):
        spent(key_for(people, person(f"P{n}", people.acme, "user"), f"k{n}"), "1")
    with CaptureQueriesContext(connection) as long:
        client.get("/members")

    assert len(long) == len(short) <= 11


def test_the_list_goes_on_where_a_page_ends_and_keeps_its_filter(client: Client, people: Cast) -> None:
    users = User.objects.bulk_create(User(email=f"m{n}@example.com", password="!") for n in range(60))
    Membership.objects.bulk_create(
        Membership(organization=people.acme, user=user, role="billing") for user in users
    )
    as_(client, people.ada)

    first = client.get("/members?role=billing&q=m").content.decode()
    (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = client.get("/members" + older.replace("&amp;", "&")).content.decode()

    names = [row[0] for page in (first, second) for row in rows(page)]
    assert (len(rows(first)), len(names), len(set(names))) == (50, 61, 61)
    assert "role=billing" in older


def test_the_file_holds_everybody_whom_the_pages_show(client: Client, people: Cast) -> None:
    users = User.objects.bulk_create(User(email=f"m{n}@example.com", password="!") for n in range(520))
    Membership.objects.bulk_create(
        Membership(organization=people.acme, user=user, role="billing") for user in users
    )
    User.objects.filter(pk=people.dev.pk).update(name="=cmd()")
    spent(key_for(people, people.dev), "1.2345678")
    as_(client, people.ada)

    whole, some = (
        list(csv.DictReader(io.StringIO(b"".join(client.get(path).streaming_content).decode())))  # type: ignore[attr-defined]
        for path in ("/members.csv", "/members.csv?q=dev@")
    )

    assert len({row["email"] for row in whole}) == len(whole) == 524
    (dev,) = some
    assert (dev["name"], dev["role"], dev["second_factor"]) == ("'=cmd()", "developer", "off")
    assert Decimal(dev["spend_this_month_usd"]) == Decimal("1.2345678")
    assert dev["last_seen"].endswith("Z")


def test_names_are_text_wherever_they_stand(client: Client, people: Cast) -> None:
    name = "<b>&amp;\"'</b>"
    User.objects.filter(pk=people.dev.pk).update(name=name)
    key_for(people, people.dev, name)
    lab = workspaces.create(actor=SYSTEM, organization=people.acme, name=name)
    account = service_accounts.create(actor=SYSTEM, organization=people.acme, name="bot", description=name)
    freshly(client, people.ada)

    escaped = "&lt;b&gt;&amp;amp;&quot;&#x27;&lt;/b&gt;"
    for path in (
        "/members",
        f"/members/{people.dev.id}",
        f"/members/{people.dev.id}/remove",
        "/members/service-accounts",
        f"/members/service-accounts/{account.id}",
        "/workspaces",
        f"/workspaces/{lab.id}",
        f"/workspaces/{lab.id}/archive",
        "/search?q=%3Cb",
    ):
        page = client.get(path).content.decode()
        assert escaped in page, path
        assert name not in page, path
        assert "&amp;lt;" not in page, path


# --- One member ---


def test_a_member_is_shown_with_workspaces_and_keys(client: Client, people: Cast) -> None:
    lab = workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")
    workspace_members.add(
        actor=SYSTEM, workspace=lab, membership=people.dev.memberships.get(), role="workspace_admin"
    )
    key_for(people, people.dev, "Dev's laptop")

    page = as_(client, people.dev).get(f"/members/{people.dev.id}").content.decode()

    for words in ("dev@example.com", "Lab", "Workspace admin", "Dev&#x27;s laptop", people.dev.id):
        assert words in page
    assert "Change role" not in page
    assert "Remove member" not in page


def test_an_admin_changes_a_role_and_cannot_make_an_admin(client: Client, people: Cast) -> None:
    as_(client, people.ada)
    path = f"/members/{people.dev.id}"

    page = client.get(path).content.decode()
    changed = client.post(f"{path}/role", {"role": "billing"}, follow=True).content.decode()
    refused = client.post(f"{path}/role", {"role": "admin"})

    assert "Only an operator of this gateway can make somebody an admin" in page
    assert 'value="admin"' not in page
    assert "dev@example.com has the role Billing now." in changed
    assert refused.status_code == 400
    assert Membership.objects.get(user=people.dev).role == "billing"
    line = AuditEntry.objects.get(action="membership.role_set")
    assert (line.actor_id, line.details) == (people.ada.id, {"old": "developer", "new": "billing"})


def test_the_last_admin_stays_one(client: Client, people: Cast) -> None:
    path = f"/members/{people.ada.id}"
    freshly(client, people.ada)

    page = client.get(path).content.decode()
    role = client.post(f"{path}/role", {"role": "user"})
    remove = client.post(f"{path}/remove", {"typed": "ada@example.com"})

    assert "is the last admin of this organization, and stays one" in page
    assert (role.status_code, remove.status_code) == (400, 400)
    assert "The last admin of an organization stays one" in role.content.decode()
    assert "who cannot be removed" in remove.content.decode()
    assert Membership.objects.get(user=people.ada).role == "admin"


@pytest.mark.parametrize("who", ["dev", "bill", "uma"])
def test_only_admins_change_members_and_invites(client: Client, people: Cast, who: str) -> None:
    invite, _ = invited(people)
    account = service_accounts.create(actor=SYSTEM, organization=people.acme, name="bot")
    freshly(client, getattr(people, who))
    before = AuditEntry.objects.count()

    statuses = {
        path: client.post(path, form).status_code
        for path, form in (
            (f"/members/{people.uma.id}/role", {"role": "billing"}),
            (f"/members/{people.uma.id}/remove", {"typed": "uma@example.com"}),
            ("/members/invite", {"emails": "x@example.com", "role": "user"}),
            (f"/members/invites/{invite.id}/link", {}),
            (f"/members/invites/{invite.id}/resend", {}),
            (f"/members/invites/{invite.id}/revoke", {}),
            ("/members/service-accounts/new", {"name": "x", "organization_role": "developer"}),
            (f"/members/service-accounts/{account.id}/edit", {"organization_role": "admin"}),
            (f"/members/service-accounts/{account.id}/archive", {"typed": "bot"}),
        )
    }

    assert set(statuses.values()) == {403}, statuses
    assert AuditEntry.objects.count() == before


def test_another_organizations_people_are_as_absent_as_none(client: Client, people: Cast) -> None:
    foreign, _ = invites.create(
        actor=SYSTEM, organization=people.umbrella, email="x@example.com", role="user"
    )
    account = service_accounts.create(actor=SYSTEM, organization=people.umbrella, name="bot")
    freshly(client, people.ada)

    for path in (
        f"/members/{people.mallory.id}",
        f"/members/{people.mallory.id}/remove",
        f"/members/{people.olga.id}",
        "/members/user_nothing",
        f"/members/service-accounts/{account.id}",
    ):
        assert client.get(path).status_code == 404, path
    for path in (
        f"/members/{people.mallory.id}/role",
        f"/members/invites/{foreign.id}/link",
        f"/members/invites/{foreign.id}/revoke",
    ):
        assert client.post(path, {"role": "user"}).status_code == 404, path
    foreign.refresh_from_db()
    assert foreign.status == "pending"


# --- Removing ---


def test_removing_wants_a_fresh_sign_in_and_the_address(client: Client, people: Cast) -> None:
    path = f"/members/{people.dev.id}/remove"

    stale = as_(client, people.ada).post(path, {"typed": "dev@example.com"})
    wrong = freshly(client, people.ada).post(path, {"typed": "dev"})

    assert stale["location"].startswith("/reauthenticate?next=")
    assert wrong.status_code == 400
    assert "This is not dev@example.com." in wrong.content.decode()
    assert Membership.objects.filter(user=people.dev).exists()


def test_removing_lists_the_keys_and_archives_them(client: Client, people: Cast) -> None:
    mine, made = key_for(people, people.dev, "mine"), key_for(people, None, "made")
    path = f"/members/{people.dev.id}/remove"
    freshly(client, people.ada)

    asked = client.get(path).content.decode()
    done = client.post(path, {"keys": "archive", "typed": "dev@example.com"}, follow=True)

    assert "mine" in asked
    assert "1 key that they made for others or for nobody in particular stays as it is" in asked
    assert "dev@example.com is no member any more." in done.content.decode()
    assert not Membership.objects.filter(user=people.dev).exists()
    rows = ApiKey.objects.in_bulk([mine.pk, made.pk])
    assert (rows[mine.pk].status, rows[made.pk].status) == ("archived", "active")


@pytest.mark.parametrize("heir", ["uma", "bot"])
def test_keys_are_handed_over_to_a_member_or_a_service_account(
    client: Client, people: Cast, heir: str
) -> None:
    key = key_for(people, people.dev)
    bot = service_accounts.create(actor=SYSTEM, organization=people.acme, name="bot")
    to = bot.id if heir == "bot" else people.uma.id

    freshly(client, people.ada).post(
        f"/members/{people.dev.id}/remove",
        {"keys": "hand_over", "keys_to": to, "typed": "dev@example.com"},
    )

    key.refresh_from_db()
    assert (key.user_id or key.service_account_id, key.status) == (to, "active")


def test_keys_are_handed_to_nobody_unknown(client: Client, people: Cast) -> None:
    key_for(people, people.dev)
    freshly(client, people.ada)

    answers = [
        client.post(
            f"/members/{people.dev.id}/remove",
            {"keys": "hand_over", "keys_to": to, "typed": "dev@example.com"},
        )
        for to in ("", people.mallory.id, people.dev.id, "user_nothing")
    ]

    assert [answer.status_code for answer in answers] == [400] * 4
    assert Membership.objects.filter(user=people.dev).exists()


def test_an_admin_who_is_not_the_last_may_leave(client: Client, people: Cast) -> None:
    memberships.set_role(actor=SYSTEM, membership=people.dev.memberships.get(), role="admin")

    answer = freshly(client, people.ada).post(
        f"/members/{people.ada.id}/remove", {"typed": "ada@example.com"}
    )

    assert answer["location"] == "/"
    assert client.get("/members").content.decode().count("You do not belong to an organization yet") == 1


# --- Inviting ---


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a@x.org\r\nb@x.org", ["a@x.org", "b@x.org"]),
        ("a@x.org, b@x.org;c@x.org d@x.org", ["a@x.org", "b@x.org", "c@x.org", "d@x.org"]),
        ("Grace Hopper <grace@x.org>, Ada <ada@x.org>", ["grace@x.org", "ada@x.org"]),
        ("a@x.org A@X.org", ["A@X.org"]),
        ("nonsense", ["nonsense"]),
        (" \n,;", []),
    ],
)
def test_addresses_are_found_however_they_are_typed(text: str, found: list[str]) -> None:
    assert addresses_in(text) == found


def test_many_are_invited_at_once_and_each_link_is_shown_once(client: Client, people: Cast) -> None:
    form = {"emails": "one@example.com\nTwo@example.com, dev@example.com\nnot@an", "role": "billing"}

    answer = as_(client, people.ada).post("/members/invite", form)

    page = answer.content.decode()
    links = re.findall(r'<code id="link-\d">\S+/invites/([\w-]{43})</code>', page)
    assert [invites.find(token).email for token in links] == ["one@example.com", "two@example.com"]  # type: ignore[union-attr]
    assert "dev@example.com is a member of Acme already" in page
    assert "&#x27;not@an&#x27; is not an e-mail address" in page
    assert re.search(r"<textarea[^>]*>\s*dev@example.com\nnot@an</textarea>", page)
    made = Invite.objects.all()
    assert {(one.role, one.invited_by) for one in made} == {("billing", people.ada)}
    assert all(
        datetime.timedelta(days=20) < one.expires_at - timezone.now() <= datetime.timedelta(days=21)
        for one in made
    )
    listed = client.get("/members/invites").content.decode()
    assert not any(token in listed for token in links)
    assert "no-store" in answer["cache-control"]


WRONG = [
    {"emails": "", "role": "user"},
    {"emails": "x@example.com", "role": "admin"},
    {"emails": "x@example.com"},
    {"emails": " ".join(f"a{n}@example.com" for n in range(101)), "role": "user"},
    {"emails": "nonsense", "role": "user"},
    {"emails": " , ", "role": "user"},
]


def test_wrong_invitations_are_refused(client: Client, people: Cast) -> None:
    as_(client, people.ada)

    for form in WRONG:
        answer = client.post("/members/invite", form)
        assert (answer.status_code, 'name="emails"' in answer.content.decode()) == (400, True), form
    assert not Invite.objects.exists()


def test_where_mail_leaves_the_links_are_mailed_and_not_shown(
    client: Client, people: Cast, mailing: None
) -> None:
    page = as_(client, people.ada).post(
        "/members/invite", {"emails": "one@example.com two@example.com", "role": "user"}
    )

    assert "Invites are on their way" in page.content.decode()
    assert "/invites/" not in re.sub(r"/members/invites", "", page.content.decode())
    assert set(Mail.objects.values_list("recipient", "text")) == {
        ("one@example.com", ""),
        ("two@example.com", ""),
    }


def test_an_invite_is_sent_again_with_another_link(client: Client, people: Cast, mailing: None) -> None:
    invite, token = invited(people)

    page = as_(client, people.ada).post(f"/members/invites/{invite.id}/resend", follow=True)

    assert "A new invitation is on its way to new@example.com." in page.content.decode()
    assert Mail.objects.get().recipient == "new@example.com"
    assert invites.find(token) is None
    assert AuditEntry.objects.get(action="invite.renewed").actor_id == people.ada.id


def test_without_mail_there_is_a_new_link_to_copy_instead(client: Client, people: Cast) -> None:
    invite, token = invited(people)
    as_(client, people.ada)

    listed = client.get("/members/invites").content.decode()
    resent = client.post(f"/members/invites/{invite.id}/resend", follow=True).content.decode()
    page = client.post(f"/members/invites/{invite.id}/link").content.decode()

    assert f"/members/invites/{invite.id}/resend" not in listed
    assert "This gateway sends no mail." in resent
    (renewed,) = re.findall(r"/invites/([\w-]{43})</code>", page)
    assert invites.find(token) is None
    assert invites.find(renewed) == invite


def test_a_revoked_invite_lets_nobody_in(client: Client, people: Cast) -> None:
    invite, token = invited(people)
    as_(client, people.ada)

    page = client.post(f"/members/invites/{invite.id}/revoke", follow=True).content.decode()
    again = client.post(f"/members/invites/{invite.id}/revoke", follow=True).content.decode()

    assert "The invitation of new@example.com is revoked" in page
    assert "An invite that is deleted cannot be deleted." in again
    assert invites.find(token) is None
    assert client.post(f"/members/invites/{invite.id}/link", follow=True).status_code == 200
    assert Invite.objects.get().status == "deleted"


def test_invites_are_listed_by_state(client: Client, people: Cast) -> None:
    for email in ("pending@example.com", "late@example.com", "in@example.com", "gone@example.com"):
        invited(people, email)
    rows_of = Invite.objects.filter
    rows_of(email="late@example.com").update(expires_at=timezone.now())
    rows_of(email="in@example.com").update(accepted_at=timezone.now())
    rows_of(email="gone@example.com").update(deleted_at=timezone.now())
    as_(client, people.dev)

    found = {
        status: [row[0] for row in rows(client.get(f"/members/invites?status={status}").content.decode())]
        for status in ("", "pending", "accepted", "expired", "nonsense")
    }

    everything = ["in@example.com", "late@example.com", "pending@example.com"]
    assert found == {
        "": everything,
        "pending": ["pending@example.com"],
        "accepted": ["in@example.com"],
        "expired": ["late@example.com"],
        "nonsense": everything,
    }
    page = client.get("/members").content.decode()
    assert '<span class="tab-count">1<span class="sr-only"> pending</span>' in page
    assert "Revoke" not in client.get("/members/invites").content.decode()


# --- Service accounts ---


def test_a_service_account_is_made_placed_and_archived(client: Client, people: Cast) -> None:
    lab = workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")
    freshly(client, people.ada)

    made = client.post(
        "/members/service-accounts/new",
        {"name": "deploy-bot", "description": "Ships", "organization_role": "developer"},
    )
    account = people.acme.service_accounts.get()
    path = f"/members/service-accounts/{account.id}"
    api_keys.create(actor=SYSTEM, organization=people.acme, name="ship", service_account=account)
    client.post(f"{path}/place", {"workspace_id": lab.id, "role": "workspace_developer"})
    client.post(f"{path}/edit", {"description": "Ships it", "organization_role": "admin"})
    page = client.get(path).content.decode()
    listed = rows(client.get("/members/service-accounts").content.decode())
    there = client.get(f"/workspaces/{lab.id}/members").content.decode()
    client.post(f"{path}/remove/{lab.id}")
    wrong = client.post(f"{path}/archive", {"typed": "deploy"})
    client.post(f"{path}/archive", {"typed": "deploy-bot"})

    assert made["location"] == path
    assert "Workspace developer" in page and "ship" in page
    assert listed[0][:4] == ["deploy-bot Ships it", "Admin", "1", "1"]
    assert "deploy-bot" in there
    assert wrong.status_code == 400
    account.refresh_from_db()
    assert account.archived_at is not None
    assert not account.workspaces.exists()
    assert account.api_keys.get().status == "archived"
    assert "No service accounts yet" in client.get("/members/service-accounts").content.decode()
    assert client.get(path).status_code == 200
    assert client.post(f"{path}/edit", {"organization_role": "developer"}).status_code == 400


def test_a_wrong_name_of_a_service_account_is_refused_beside_it(client: Client, people: Cast) -> None:
    service_accounts.create(actor=SYSTEM, organization=people.acme, name="taken")
    as_(client, people.ada)

    for name, words in (
        ("Deploy Bot", "Expected 1 to 64 lowercase letters"),
        ("taken", "A service account named"),
        ("", "This field is required."),
    ):
        form = {"name": name, "organization_role": "developer"}
        answer = client.post("/members/service-accounts/new", form)
        errors = re.findall(r'id="id_name_error"[^>]*>(.*?)</ul>', answer.content.decode(), re.S)
        assert (answer.status_code, words in "".join(errors)) == (400, True)
    assert people.acme.service_accounts.count() == 1


def test_spend_of_a_member_is_exact(client: Client, people: Cast) -> None:
    key = key_for(people, people.dev)
    for cost in ("0.0000001", "0.1", "2"):
        spent(key, cost)

    page = as_(client, people.ada).get(f"/members/{people.dev.id}").content.decode()

    assert f'title="${Decimal("2.1000001")}"' in page
