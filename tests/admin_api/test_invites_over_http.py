"""Invites over the Admin API, the mail that goes out, and the page where they are accepted."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import anthropic
import httpx
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import invites
from admin_api.actor import SYSTEM
from gateway.models import AuditEntry, Invite, Membership, Organization, User
from tests.admin_api.conftest import open_door
from tests.admin_api.door import Door, admin_key, csrf
from tests.admin_api.mail_server import MailServer
from tests.people import PASSWORD, Cast

INVITES = "/v1/organizations/invites"
LINK = re.compile(r"http://\S+/invites/(\S+)")


@pytest.fixture
def client(door: Door, committed_people: Cast) -> anthropic.Anthropic:
    return door.sdk(admin_key(committed_people.acme)[1])


@pytest.fixture(scope="module")
def mail_server() -> Iterator[MailServer]:
    server = MailServer()
    yield server
    server.close()


@pytest.fixture(scope="module")
def mailing_door(
    django_db_setup: None,
    valkey_server: object,
    mail_server: MailServer,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Door]:
    """A web process whose mail goes to the server above."""
    address = f"smtp://127.0.0.1:{mail_server.port}"
    with open_door(tmp_path_factory.mktemp("mail"), EMAIL_URL=address) as opened:
        yield opened


def invite(client: anthropic.Anthropic, email: str = "New@Example.com", role: Any = "developer") -> Any:
    return client.organization.invites.create(email=email, role=role)


def test_an_invite_is_shown_as_the_sdk_knows_it(client: anthropic.Anthropic) -> None:
    made = invite(client)

    row = Invite.objects.get()
    shown = {
        "id": row.id,
        "type": "invite",
        "email": "new@example.com",
        "role": "developer",
        "status": "pending",
        "invited_at": row.invited_at,
        "expires_at": row.invited_at + datetime.timedelta(days=21),
        "accepted_at": None,
        "rbac_group_ids": [],
    }
    url = made.to_dict(mode="python").pop("url")
    assert {**made.to_dict(mode="python"), "expires_at": row.expires_at} == shown | {
        "url": url,
        "expires_at": row.expires_at,
    }
    assert abs(row.expires_at - shown["expires_at"]) < datetime.timedelta(seconds=1)
    assert invites.find(url.rpartition("/")[2]) == row
    assert "url" not in client.organization.invites.retrieve(row.id).to_dict()


def test_the_list_is_walked_and_filtered(client: anthropic.Anthropic, committed_people: Cast) -> None:
    ids = [invite(client, f"n{n}@example.com", "billing" if n == 2 else "user").id for n in range(5)]
    invites.create(actor=SYSTEM, organization=committed_people.umbrella, email="n0@example.com", role="user")
    Invite.objects.filter(pk=ids[1]).update(accepted_at=timezone.now())
    Invite.objects.filter(pk=ids[3]).update(expires_at=timezone.now())
    client.organization.invites.delete(ids[4])

    def names(**filters: Any) -> list[str]:
        return [one.email[:2] for one in client.organization.invites.list(limit=2, **filters)]

    assert names() == ["n3", "n2", "n1", "n0"]
    assert names(before_id=ids[0]) == ["n2", "n1", "n3"]
    assert names(email="N2@example.com") == ["n2"]
    assert names(roles=["billing", "developer"]) == ["n2"]
    assert names(statuses=["pending"]) == ["n2", "n0"]
    assert names(statuses=["accepted", "expired"]) == ["n3", "n1"]
    statuses = [client.organization.invites.retrieve(id).status for id in ids]
    assert statuses == ["pending", "accepted", "pending", "expired", "deleted"]


def test_a_page_costs_two_queries_however_long_it_is(
    people: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, secret = admin_key(people.acme)
    for number in range(10):
        invites.create(actor=SYSTEM, organization=people.acme, email=f"n{number}@example.com", role="user")

    with django_assert_num_queries(2):  # the key with its organization, the page
        answer = Client().get(f"{INVITES}?limit=10", headers={"x-api-key": secret})

    assert len(answer.json()["data"]) == 10


def test_members_and_those_who_are_invited_are_not_invited_again(client: anthropic.Anthropic) -> None:
    first = invite(client)

    with pytest.raises(anthropic.BadRequestError) as twice:
        invite(client, "NEW@example.com")
    with pytest.raises(anthropic.BadRequestError) as member:
        invite(client, "DEV@example.com")

    assert type(twice.value).__name__ == "InviteAlreadyExistsError"
    assert first.id in str(twice.value)
    assert type(member.value).__name__ == "AlreadyMemberError"
    assert "dev@example.com is a member of Acme already" in str(member.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"email": "a@example.com", "role": "admin"},
            'role: "admin" is not a valid value; expected one of user, developer, billing, claude_code_user. '
            "Operators grant it on the gateway's machine: manage.py invite --role admin, or manage.py set_role",
        ),
        (
            {"email": "a@example.com", "role": "managed"},
            'role: "managed" is not a valid value; expected one of user, developer, billing, claude_code_user',
        ),
        ({"email": "a@example.com"}, "role: Field required"),
        ({"role": "user"}, "email: Field required"),
        ({"email": "not an address", "role": "user"}, "email: "),
        ({"email": ["a@example.com"], "role": "user"}, "email: "),
        ({"email": "a" * 250 + "@example.com", "role": "user"}, "email: "),
        (
            {"email": "a@example.com", "role": "user", "rbac_group_ids": ["g"]},
            "rbac_group_ids: groups are not offered by this gateway",
        ),
        ({"email": "a@example.com", "role": "user", "name": "A"}, "name: Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_a_wrong_invitation_is_named(
    door: Door, committed_people: Cast, given: dict[str, object], message: str
) -> None:
    _, secret = admin_key(committed_people.acme)

    answer = httpx.post(door.base_url + INVITES, json=given, headers={"x-api-key": secret})

    assert (answer.status_code, answer.json()["error"]["message"][: len(message)]) == (400, message)
    assert not Invite.objects.exists()


def test_an_invite_that_was_deleted_lets_nobody_in(client: anthropic.Anthropic, door: Door) -> None:
    made = invite(client)

    deleted = client.organization.invites.delete(made.id)

    assert deleted.to_dict() == {"id": made.id, "type": "invite_deleted"}
    assert httpx.get(door.base_url + f"/invites/{made.url.rpartition('/')[2]}").status_code == 404
    with pytest.raises(anthropic.BadRequestError, match="An invite that is deleted cannot be deleted"):
        client.organization.invites.delete(made.id)
    assert invite(client).id != made.id  # and may be invited anew
    line = AuditEntry.objects.get(action="invite.deleted")
    assert line.details == {"email": "new@example.com", "role": "developer"}


def test_invites_of_another_organization_do_not_exist(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    foreign, _ = invites.create(
        actor=SYSTEM, organization=committed_people.umbrella, email="x@example.com", role="user"
    )

    for attempt in (client.organization.invites.retrieve, client.organization.invites.delete):
        for id in (foreign.id, "invite_01nothing", "invite\x00"):
            with pytest.raises(anthropic.NotFoundError, match="Invite not found"):
                attempt(id)
    with pytest.raises(anthropic.BadRequestError, match="after_id: "):
        client.organization.invites.list(after_id=foreign.id)
    assert Invite.objects.get().status == "pending"


# --- Mail ---


def test_an_invite_is_mailed_and_its_link_lets_in(
    mailing_door: Door, mail_server: MailServer, committed_people: Cast
) -> None:
    ada = mailing_door.signed_in(committed_people.ada)
    Organization.objects.filter(pk=committed_people.acme.pk).update(name="Acme\nBcc: evil@example.com")
    body = {"email": "Grace@Example.com", "role": "billing"}

    answer = ada.post(INVITES, json=body, headers={"X-CSRFToken": csrf(ada, "/")})

    assert answer.status_code == 200, answer.text
    assert "url" not in answer.json()
    mail = mail_server.mails.pop()
    assert (mail["To"], mail["Subject"], mail["Bcc"]) == (
        "grace@example.com",
        "Invitation to Acme Bcc: evil@example.com",
        None,
    )
    text = mail.get_content()
    assert "Ada invites you to join Acme Bcc: evil@example.com with the role Billing." in text
    token = LINK.search(text)
    assert token is not None
    assert _accept(mailing_door, token[1]) == 302
    assert Membership.objects.get(user__email="grace@example.com").role == "billing"


def test_an_invite_that_cannot_be_mailed_is_not_made(
    mailing_door: Door, mail_server: MailServer, committed_people: Cast
) -> None:
    client = mailing_door.sdk(admin_key(committed_people.acme)[1])
    mail_server.refusing = True
    try:
        with pytest.raises(anthropic.ServiceUnavailableError, match="could not be sent, so it was not made"):
            invite(client)
    finally:
        mail_server.refusing = False

    assert (Invite.objects.count(), mail_server.mails) == (0, [])
    assert not AuditEntry.objects.filter(action="invite.created").exists()
    assert invite(client).status == "pending"
    mail_server.mails.clear()


# --- The page ---


def test_twenty_claims_of_one_invite_let_exactly_one_in(client: anthropic.Anthropic, door: Door) -> None:
    token = invite(client).url.rpartition("/")[2]

    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(lambda n: _accept(door, token, f"Claimant {n}"), range(20)))

    assert answers.count(302) == 1, answers
    assert set(answers) <= {302, 400, 403, 404}
    assert User.objects.filter(email="new@example.com").count() == 1
    assert Membership.objects.filter(user__email="new@example.com").count() == 1
    assert AuditEntry.objects.filter(action="invite.accepted").count() == 1


def test_looking_at_an_invite_accepts_nothing(client: anthropic.Anthropic, door: Door) -> None:
    made = invite(client)

    for method in ("GET", "HEAD", "GET"):
        assert httpx.request(method, door.base_url + "/invites/" + made.url.rpartition("/")[2]).is_success

    assert client.organization.invites.retrieve(made.id).status == "pending"


def _accept(door: Door, token: str, name: str = "Grace") -> int:
    """The status of a new person's form on the invitation's page."""
    with httpx.Client(base_url=door.base_url, headers={"Origin": door.base_url}, timeout=30) as browser:
        page = browser.get(f"/invites/{token}")
        if page.status_code != 200:
            return page.status_code
        form = {"csrfmiddlewaretoken": csrf(browser, f"/invites/{token}"), "name": name}
        password = {field: PASSWORD for field in re.findall(r'name="(password\w*)"', page.text)}
        return browser.post(f"/invites/{token}", data=form | password).status_code
