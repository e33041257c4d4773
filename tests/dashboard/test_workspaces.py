"""The pages of workspaces: who sees and changes which, and that figures are the rollups'."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from admin_api.actions import api_keys, memberships, workspace_members, workspaces
from admin_api.actor import SYSTEM
from gateway.models import (
    ApiKey,
    ApiKeyUse,
    AuditEntry,
    Membership,
    UsageDay,
    User,
    Workspace,
    WorkspaceMember,
)
from tests.batches.rows import batch_of
from tests.dashboard.test_pages import as_, freshly, stats
from tests.people import Cast

pytestmark = pytest.mark.django_db
PAGES = ("", "/members", "/limits", "/keys", "/spend")


def lab(people: Cast, name: str = "Lab") -> Workspace:
    return workspaces.create(actor=SYSTEM, organization=people.acme, name=name, display_color="#12907F")


def works_in(workspace: Workspace, user: User, role: str = "workspace_user") -> None:
    membership = user.memberships.get(organization=workspace.organization_id)
    workspace_members.add(actor=SYSTEM, workspace=workspace, membership=membership, role=role)


def key_of(workspace: Workspace, name: str = "ci") -> ApiKey:
    return api_keys.create(actor=SYSTEM, organization=workspace.organization, workspace=workspace, name=name)[
        0
    ]


def used(
    workspace: Workspace, key: ApiKey, *, minutes_ago: float = 0, cost: str = "0", model: str = "m"
) -> None:
    """One request, in the rollup that these pages read."""
    at = timezone.now() - datetime.timedelta(minutes=minutes_ago)
    UsageDay.objects.create(
        organization_id=workspace.organization_id,
        bucket=at.replace(hour=0, minute=0, second=0, microsecond=0),
        workspace_id=workspace.id,
        api_key_id=key.id,
        model=model,
        provider="simulator",
        service_tier="standard",
        context_window="0-200k",
        inference_geo="",
        requests=1,
        input_tokens=700,
        output_tokens=300,
        cost=Decimal(cost),
    )


def rows(page: str) -> list[list[str]]:
    """The text of each cell of each row."""
    bodies = "".join(re.findall(r"<tbody>(.*?)</tbody>", page, re.S))
    found = re.findall(r"<tr>(.*?)</tr>", bodies, re.S)
    return [[_text(cell) for cell in re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.S)] for row in found]


def _text(html: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", html).split())


def test_the_list_tells_members_keys_limits_and_spend(client: Client, people: Cast) -> None:
    research = lab(people, "Research")
    works_in(research, people.dev)
    works_in(research, people.ada.memberships.model.objects.get(user=people.uma).user)
    workspaces.set_limits(actor=SYSTEM, workspace=research, limits={"requests_per_minute": 5})
    key, off = key_of(research), key_of(research, "off")
    api_keys.update(actor=SYSTEM, key=off, status="inactive")
    used(research, key, cost="1.2345678")

    page = as_(client, people.ada).get("/workspaces").content.decode()

    assert rows(page) == [
        ["Research", "4", "1", "1 of its own", "$1.23", "Active"],
        ["Default", "4", "0", "the organization's", "$0.00", "Default"],
    ]
    assert 'title="$1.2345678"' in page


def test_an_archived_workspace_shows_on_request(client: Client, people: Cast) -> None:
    workspaces.archive(actor=SYSTEM, workspace=lab(people, "Old"))
    as_(client, people.ada)

    names = [
        [row[0] for row in rows(client.get(f"/workspaces{query}").content.decode())]
        for query in ("", "?archived=1", "?archived=1&q=OLD", "?q=old", "?q=%00old")
    ]

    assert names == [["Default"], ["Old", "Default"], ["Old"], [], []]


def test_the_list_costs_the_same_whatever_its_length(client: Client, people: Cast) -> None:
    as_(client, people.ada)
    with CaptureQueriesContext(connection) as short:
        client.get("/workspaces")
    for n in range(12):
        works_in(lab(people, f"W{n}"), people.dev)
    with CaptureQueriesContext(connection) as long:
        client.get("/workspaces")

    assert len(long) == len(short) <= 12


def test_the_list_goes_on_where_a_page_ends(client: Client, people: Cast) -> None:
    Workspace.objects.bulk_create(Workspace(organization=people.acme, name=f"W{n:02}") for n in range(60))
    as_(client, people.ada)

    first = client.get("/workspaces?q=W").content.decode()
    (older,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = client.get("/workspaces" + older.replace("&amp;", "&")).content.decode()

    names = [row[0] for page in (first, second) for row in rows(page)]
    assert (len(rows(first)), sorted(names)) == (50, [f"W{n:02}" for n in range(60)])
    assert "Newest" in second


def test_each_role_sees_the_workspaces_that_are_its_business(client: Client, people: Cast) -> None:
    mine, others = lab(people, "Mine"), lab(people, "Other")
    works_in(mine, people.dev)
    seen = {}
    for who in ("ada", "dev", "bill", "uma"):
        answer = as_(client, getattr(people, who)).get("/workspaces")
        names = [row[0] for row in rows(answer.content.decode())] if answer.status_code == 200 else []
        seen[who] = (answer.status_code, names, client.get(f"/workspaces/{others.id}").status_code)

    assert seen == {
        "ada": (200, ["Other", "Mine", "Default"], 200),
        "dev": (200, ["Mine", "Default"], 404),
        "bill": (403, [], 404),
        "uma": (403, [], 404),
    }


def test_whoever_runs_a_workspace_sees_and_changes_it_alone(client: Client, people: Cast) -> None:
    mine, other = lab(people, "Mine"), lab(people, "Other")
    works_in(mine, people.uma, "workspace_admin")
    as_(client, people.uma)

    home = client.get("/").content.decode()
    listed = rows(client.get("/workspaces").content.decode())
    changed = client.post(f"/workspaces/{mine.id}/edit", settings_of("Ours"))
    refused = [
        client.post(f"/workspaces/{other.id}/edit", settings_of("Taken")).status_code,
        client.post("/workspaces/new", settings_of("New")).status_code,
        freshly(client, people.uma).post(f"/workspaces/{mine.id}/archive", {"typed": "Ours"}).status_code,
        client.get("/members").status_code,
    ]

    assert 'href="/workspaces"' in home and 'href="/members"' not in home
    assert [(row[0], row[-1]) for row in listed] == [("Mine", "You run it")]
    assert changed.status_code == 302
    assert refused == [404, 403, 403, 403]
    names = Workspace.objects.filter(organization=people.acme, archived_at=None).values_list(
        "name", flat=True
    )
    assert set(names) == {"Default", "Ours", "Other"}


def settings_of(name: str, **changes: str) -> dict[str, str]:
    usual = {
        "name": name,
        "display_color": "#D0682C",
        "allowed_inference_geos": "unrestricted",
        "default_inference_geo": "global",
    }
    return usual | changes


CHANGES = {
    "edit": settings_of("Taken"),
    "models": {"allowed_models": "", "denied_models": ""},
    "contents": {"days": "7"},
    "members/add": {"email": "bill@example.com", "role": "workspace_user"},
    "members/{dev}/role": {"role": "workspace_user"},
    "members/{dev}/remove": {},
    "limits/x": {},
}


@pytest.mark.parametrize(("who", "status"), [("dev", 403), ("uma", 404), ("bill", 404), ("mallory", 404)])
def test_who_only_reads_changes_nothing(client: Client, people: Cast, who: str, status: int) -> None:
    workspace = lab(people)
    works_in(workspace, people.dev, "workspace_developer")
    before = AuditEntry.objects.count()
    as_(client, getattr(people, who))

    statuses = {
        path: client.post(f"/workspaces/{workspace.id}/{path.format(dev=people.dev.id)}", form).status_code
        for path, form in CHANGES.items()
    }

    assert statuses == dict.fromkeys(CHANGES, status)
    assert AuditEntry.objects.count() == before


def test_forms_are_drawn_for_who_may_use_them(client: Client, people: Cast) -> None:
    workspace = lab(people)
    works_in(workspace, people.dev, "workspace_developer")

    def with_forms(user: User) -> list[str]:
        as_(client, user)
        pages = {path: client.get(f"/workspaces/{workspace.id}{path}").content.decode() for path in PAGES}
        return [path for path, page in pages.items() if f'action="/workspaces/{workspace.id}/' in page]

    assert with_forms(people.ada) == ["", "/members", "/limits"]
    assert with_forms(people.dev) == []


def test_a_workspace_is_made_with_name_colour_and_residency(client: Client, people: Cast) -> None:
    form = settings_of(" Lab ", allowed_inference_geos="us", default_inference_geo="us")

    answer = as_(client, people.ada).post("/workspaces/new", form)

    made = Workspace.objects.get(organization=people.acme, name="Lab")
    assert answer["location"] == f"/workspaces/{made.id}"
    assert (made.display_color, made.allowed_inference_geos, made.default_inference_geo) == (
        "#D0682C",
        ["us"],
        "us",
    )
    line = AuditEntry.objects.get(action="workspace.created", target_id=made.id)
    assert (line.actor_id, line.ip_address) == (people.ada.id, "127.0.0.1")


def test_tags_are_what_the_form_holds(client: Client, people: Cast) -> None:
    workspace = lab(people)
    as_(client, people.ada)
    path, held = f"/workspaces/{workspace.id}", []

    for tags in ("team: search\r\n url : https://a.example\r\n", "team: find", ""):
        client.post(f"{path}/edit", settings_of("Lab", tags=tags))
        workspace.refresh_from_db()
        held.append(workspace.tags)

    assert held == [{"team": "search", "url": "https://a.example"}, {"team": "find"}, {}]


WRONG = [
    ("tags", {"tags": ": nameless"}, "A tag has a name"),
    ("tags", {"tags": "team=search"}, "with a colon between"),
    ("tags", {"tags": "anthropic_x: y"}, "A tag has a name"),
    ("tags", {"tags": "k: " + "v" * 257}, "A tag has a name"),
    ("name", {"name": "Taken"}, "A workspace named"),
    ("name", {"name": ""}, "This field is required."),
    ("display_color", {"display_color": "red"}, "Choose a colour such as #6C5BB9."),
    ("display_color", {"display_color": "#12345z"}, "Choose a colour such as #6C5BB9."),
    ("default_inference_geo", {"allowed_inference_geos": "us"}, "This is not among the places"),
    ("allowed_inference_geos", {"allowed_inference_geos": "mars"}, "Select a valid choice."),
]


def test_what_is_wrong_is_said_beside_its_field(client: Client, people: Cast) -> None:
    lab(people, "Taken")
    workspace = lab(people)
    as_(client, people.ada)

    for field, changes, words in WRONG:
        for path in ("/workspaces/new", f"/workspaces/{workspace.id}/edit"):
            answer = client.post(path, settings_of("New") | changes)
            errors = re.findall(rf'id="id_{field}_error"[^>]*>(.*?)</ul>', answer.content.decode(), re.S)
            assert (answer.status_code, words in "".join(errors)) == (400, True), (path, changes)
    assert not Workspace.objects.filter(name="New").exists()


def test_the_default_workspace_says_why_it_stays(client: Client, people: Cast) -> None:
    default = people.acme.workspaces.get()

    page = freshly(client, people.ada).get(f"/workspaces/{default.id}").content.decode()
    refused = client.post(f"/workspaces/{default.id}/archive", {"typed": "Default"})
    edited = client.post(f"/workspaces/{default.id}/edit", settings_of("Other"))
    members = client.get(f"/workspaces/{default.id}/members").content.decode()

    assert (
        "The default workspace cannot be archived: keys and requests that name no workspace are of it."
        in page
    )
    assert f"/workspaces/{default.id}/archive" not in page
    assert (refused.status_code, edited.status_code) == (400, 400)
    assert "The default workspace cannot be archived" in refused.content.decode()
    assert "Everybody in the organization works here" in members
    assert "Remove" not in members
    default.refresh_from_db()
    assert (default.name, default.archived_at) == ("Default", None)


def test_allowed_and_denied_models_are_set_by_name(client: Client, people: Cast) -> None:
    workspace = lab(people)
    as_(client, people.ada)

    saved = client.post(
        f"/workspaces/{workspace.id}/models",
        {"allowed_models": "claude-*\r\n claude-haiku-4-5", "denied_models": "claude-opus-*"},
    )
    refused = client.post(f"/workspaces/{workspace.id}/models", {"allowed_models": "clade-<b>"})

    workspace.refresh_from_db()
    assert saved.status_code == 302
    assert (workspace.allowed_models, workspace.denied_models) == (
        ["claude-*", "claude-haiku-4-5"],
        ["claude-opus-*"],
    )
    assert refused.status_code == 400
    assert "No model has the name or alias &#x27;clade-&lt;b&gt;&#x27;" in refused.content.decode()


def test_content_of_requests_is_kept_for_as_long_as_is_said(client: Client, people: Cast) -> None:
    workspace = lab(people)
    as_(client, people.ada)
    path = f"/workspaces/{workspace.id}"

    before = client.get(path).content.decode()
    answers = [
        client.post(f"{path}/contents", {"days": days}).status_code for days in ("7", "366", "-1", "x")
    ]
    after = client.get(path).content.decode()

    assert "What is asked and answered here is not kept." in before
    assert answers == [302, 400, 400, 400]
    assert "is kept for 7 days, encrypted" in after
    assert AuditEntry.objects.get(action="workspace.contents_kept").actor_id == people.ada.id


def test_archiving_tells_what_ends_and_asks_for_the_name(client: Client, people: Cast) -> None:
    workspace = lab(people, "Research  & <b>")
    busy, idle = key_of(workspace, "busy"), key_of(workspace, "idle")
    for key, minutes in ((busy, 10), (idle, 70)):
        at = timezone.now() - datetime.timedelta(minutes=minutes)
        ApiKeyUse.objects.create(api_key=key, organization_id=people.acme.id, at=at)
    running = batch_of(people.acme, workspace=workspace)
    freshly(client, people.ada)

    asked = client.get(f"/workspaces/{workspace.id}/archive").content.decode()
    wrong = client.post(f"/workspaces/{workspace.id}/archive", {"typed": "Research"})
    still = ApiKey.objects.filter(workspace=workspace, status="active").count()
    done = client.post(f"/workspaces/{workspace.id}/archive", {"typed": "Research & <b>"}, follow=True)

    assert _text(asked).count("2 active keys stop working at once.") == 1
    assert "1 of them was used within the last hour." in asked
    assert (wrong.status_code, still) == (400, 2)
    assert "is archived, and its keys are revoked." in done.content.decode()
    workspace.refresh_from_db()
    running.refresh_from_db()
    assert workspace.archived_at is not None
    assert set(ApiKey.objects.filter(workspace=workspace).values_list("status", flat=True)) == {"archived"}
    assert AuditEntry.objects.get(action="workspace.archived").actor_id == people.ada.id


def test_archiving_wants_a_fresh_sign_in(client: Client, people: Cast) -> None:
    workspace = lab(people)

    for ask in (client.get, client.post):
        answer = as_(client, people.ada), ask(f"/workspaces/{workspace.id}/archive")
        assert answer[1]["location"].startswith("/reauthenticate?next=")
    workspace.refresh_from_db()
    assert workspace.archived_at is None


def test_an_archived_workspace_can_be_read_and_not_changed(client: Client, people: Cast) -> None:
    workspace = lab(people)
    works_in(workspace, people.dev)
    workspaces.archive(actor=SYSTEM, workspace=workspace)
    as_(client, people.ada)

    pages = [client.get(f"/workspaces/{workspace.id}{path}") for path in PAGES]
    changes = [
        client.post(f"/workspaces/{workspace.id}/{path}", form).status_code
        for path, form in (("edit", settings_of("New")), ("models", {"allowed_models": "claude-*"}))
    ]

    assert {page.status_code for page in pages} == {200}
    assert all("Archived on" in page.content.decode() for page in pages)
    assert not any(f'action="/workspaces/{workspace.id}' in page.content.decode() for page in pages)
    assert changes == [400, 400]
    workspace.refresh_from_db()
    assert (workspace.name, workspace.allowed_models) == ("Lab", [])


# --- Members ---


def test_members_are_added_changed_and_removed(client: Client, people: Cast) -> None:
    workspace = lab(people)
    as_(client, people.ada)
    path = f"/workspaces/{workspace.id}/members"

    client.post(f"{path}/add", {"email": "DEV@example.com", "role": "workspace_user"})
    client.post(f"{path}/{people.dev.id}/role", {"role": "workspace_admin"})
    page = client.get(path).content.decode()
    role = WorkspaceMember.objects.get(user=people.dev).role
    client.post(f"{path}/{people.dev.id}/remove")

    assert role == "workspace_admin"
    assert [row[0] for row in rows(page)] == [
        "Bill bill@example.com",
        "Dev dev@example.com",
        "Ada ada@example.com",
    ]
    assert page.count("from the role in the organization") == 2
    assert not WorkspaceMember.objects.filter(user=people.dev).exists()
    actions = (
        AuditEntry.objects.filter(target_id=workspace.id).order_by("id").values_list("action", flat=True)
    )
    assert list(actions)[1:] == [
        "workspace_member.added",
        "workspace_member.role_set",
        "workspace_member.removed",
    ]


def test_who_cannot_be_added_is_told(client: Client, people: Cast) -> None:
    workspace = lab(people)
    as_(client, people.ada)

    for email, words in (
        ("nobody@example.com", "No member of the organization has this address."),
        ("mallory@example.com", "No member of the organization has this address."),
        ("bill@example.com", "bill@example.com is a member of this workspace already"),
    ):
        answer = client.post(
            f"/workspaces/{workspace.id}/members/add", {"email": email, "role": "workspace_user"}
        )
        errors = answer.content.decode().split("errorlist")[1].split("</ul>")[0]
        assert (answer.status_code, words in errors) == (400, True)
        assert people.bill.id not in errors


def test_a_role_that_comes_from_the_organization_stays(client: Client, people: Cast) -> None:
    workspace = lab(people)
    path = f"/workspaces/{workspace.id}/members/{people.bill.id}"
    as_(client, people.ada)

    said = [
        client.post(f"{path}/{verb}", {"role": "workspace_admin"}, follow=True).content.decode()
        for verb in ("role", "remove")
    ]

    for page in said:
        assert "The role of bill@example.com in this workspace cannot be changed" in page


def test_a_role_that_is_not_granted_is_refused(client: Client, people: Cast) -> None:
    workspace = lab(people)
    works_in(workspace, people.dev)
    as_(client, people.ada)

    for role in ("workspace_billing", "admin", ""):
        client.post(f"/workspaces/{workspace.id}/members/{people.dev.id}/role", {"role": role})

    assert WorkspaceMember.objects.get(user=people.dev).role == "workspace_user"


# --- Limits, keys, spend ---


def limit_id(client: Client, workspace: Workspace) -> str:
    page = client.get(f"/workspaces/{workspace.id}/limits").content.decode()
    return re.findall(rf'action="/workspaces/{workspace.id}/limits/(\w+)"', page)[0]


def test_limits_are_set_and_taken_away_beside_the_organizations(client: Client, people: Cast) -> None:
    workspace = lab(people)
    as_(client, people.ada)
    id = limit_id(client, workspace)
    path = f"/workspaces/{workspace.id}/limits"

    client.post(f"{path}/{id}", {f"{id}-requests_per_minute": "50", f"{id}-tokens_per_day": "1000000"})
    shown = rows(client.get(path).content.decode())
    client.post(f"{path}/{id}", {f"{id}-requests_per_minute": ""})
    workspace.refresh_from_db()

    assert ["Requests per minute", "50", "200", "50"] in shown
    assert ["Tokens per day", "1,000,000", "none", "1,000,000"] in shown
    assert ["Concurrent requests", "none", "40", "40"] in shown
    assert workspace.group_limits == {}
    assert AuditEntry.objects.filter(action="workspace.limits_set").count() == 2


def test_a_limit_that_is_no_number_is_refused_in_its_card(client: Client, people: Cast) -> None:
    workspace = lab(people)
    as_(client, people.ada)
    id = limit_id(client, workspace)

    answers = [
        client.post(f"/workspaces/{workspace.id}/limits/{id}", {f"{id}-requests_per_minute": value})
        for value in ("0", "-5", "many", "1.5", "1" + "0" * 15)
    ]

    assert [answer.status_code for answer in answers] == [400] * 5
    assert all(answer.content.decode().count('<details class="table-view" open>') == 1 for answer in answers)
    assert client.post(f"/workspaces/{workspace.id}/limits/rl_nothing", {}).status_code == 404
    workspace.refresh_from_db()
    assert workspace.group_limits == {}


def test_the_default_workspace_takes_no_limits(client: Client, people: Cast) -> None:
    default, other = people.acme.workspaces.get(), lab(people)
    as_(client, people.ada)
    id = limit_id(client, other)

    answer = client.post(f"/workspaces/{default.id}/limits/{id}", {f"{id}-requests_per_minute": "5"})

    assert answer.status_code == 400
    default.refresh_from_db()
    assert default.group_limits == {}


def test_keys_of_the_workspace_are_listed_with_whom_they_act_for(client: Client, people: Cast) -> None:
    workspace = lab(people)
    key_of(workspace, "ci")
    api_keys.create(
        actor=SYSTEM, organization=people.acme, workspace=workspace, name="<b>laptop</b>", user=people.dev
    )
    api_keys.create(actor=SYSTEM, organization=people.acme, name="elsewhere")

    as_(client, people.ada)
    page = client.get(f"/workspaces/{workspace.id}/keys").content.decode()

    assert [[row[0].split(" sk-")[0], *row[1:]] for row in rows(page)] == [
        ["&lt;b&gt;laptop&lt;/b&gt;", "dev@example.com", "Active", "never", "never", "$0.00 this month"],
        ["ci", "nobody in particular", "Active", "never", "never", "$0.00 this month"],
    ]
    works_in(workspace, people.dev, "workspace_user")
    assert "No keys here" in as_(client, people.dev).get(f"/workspaces/{workspace.id}/keys").content.decode()


def test_a_key_that_is_made_from_a_workspace_is_of_it(client: Client, people: Cast) -> None:
    workspace = lab(people)
    as_(client, people.ada)

    empty = client.get(f"/workspaces/{workspace.id}/keys").content.decode()
    form = client.get(re.findall(r'href="(/api-keys/new[^"]*)"', empty)[0]).content.decode()

    assert re.search(rf'<option value="{workspace.id}" selected>', form)
    assert len(re.findall("<option[^>]* selected>", form.partition('name="owner"')[0])) == 1


def test_spend_is_the_sum_of_the_month_by_model_and_key(client: Client, people: Cast) -> None:
    workspace, other = lab(people), lab(people, "Other")
    one, two = key_of(workspace, "one"), key_of(workspace, "two")
    used(workspace, one, cost="0.1234567", model="a")
    used(workspace, one, cost="1", model="b")
    used(workspace, two, cost="2.5", model="b")
    used(other, key_of(other), cost="100")
    before = timezone.now().replace(day=1) - datetime.timedelta(days=1)
    minutes = (timezone.now() - before).total_seconds() / 60
    used(workspace, one, cost="7", minutes_ago=minutes)
    as_(client, people.ada)

    this = client.get(f"/workspaces/{workspace.id}/spend").content.decode()
    last = client.get(f"/workspaces/{workspace.id}/spend?month=last").content.decode()

    assert stats(this) == {"Spend": "$3.62", "Requests": "3", "Tokens": "3,000"}
    assert 'title="$3.6234567"' in this
    assert rows(this) == [
        ["b", "2", "2,000", "$3.50"],
        ["a", "1", "1,000", "$0.12"],
        ["two", "1", "1,000", "$2.50"],
        ["one", "2", "2,000", "$1.12"],
    ]
    assert stats(last)["Spend"] == "$7.00"


def test_nothing_spent_is_said(client: Client, people: Cast) -> None:
    page = as_(client, people.ada).get(f"/workspaces/{lab(people).id}/spend").content.decode()

    assert "Nothing spent" in page


def test_a_foreign_workspace_is_as_absent_as_none(client: Client, people: Cast) -> None:
    foreign = workspaces.create(actor=SYSTEM, organization=people.umbrella, name="Secret")
    freshly(client, people.ada)

    for path in (*PAGES, "/archive"):
        answers = [client.get(f"/workspaces/{id}{path}") for id in (foreign.id, "wrkspc_nothing", "x%00")]
        assert [answer.status_code for answer in answers] == [404, 404, 404], path
        assert all("Secret" not in answer.content.decode() for answer in answers)


def test_a_member_who_joins_another_organization_sees_there_what_is_there(
    client: Client, people: Cast
) -> None:
    workspace = lab(people)
    memberships.add(actor=SYSTEM, organization=people.umbrella, user=people.ada, role="developer")
    as_(client, people.ada).post("/organization", {"organization": str(people.umbrella.id)})

    assert client.get(f"/workspaces/{workspace.id}").status_code == 404
    assert Membership.objects.filter(user=people.ada).count() == 2
