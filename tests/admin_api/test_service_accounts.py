"""Service accounts over the Admin API, as the official SDK manages them, and the keys that act for them."""

from __future__ import annotations

import time
from typing import Any

import anthropic
import httpx
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import api_keys, service_account_workspaces, service_accounts, workspaces
from admin_api.actor import SYSTEM
from gateway.models import ApiKey, AuditEntry, ServiceAccount, ServiceAccountWorkspace, Workspace
from tests.admin_api.door import Door, admin_key, csrf
from tests.people import Cast

ACCOUNTS = "/v1/organizations/service_accounts"


@pytest.fixture
def client(door: Door, committed_people: Cast) -> anthropic.Anthropic:
    return door.sdk(admin_key(committed_people.acme)[1])


@pytest.fixture
def lab(committed_people: Cast) -> Workspace:
    return workspaces.create(actor=SYSTEM, organization=committed_people.acme, name="Lab")


def test_a_service_account_is_shown_as_the_sdk_knows_it(client: anthropic.Anthropic) -> None:
    made = client.organization.service_accounts.create(name="ci-deploy")

    row = ServiceAccount.objects.get()
    assert made.to_dict(mode="python") == {
        "id": row.id,
        "type": "service_account",
        "name": "ci-deploy",
        "description": "",
        "organization_role": "developer",
        "created_at": row.created_at,
        "created_by_actor_id": None,
        "updated_at": row.updated_at,
        "updated_by_actor_id": None,
        "archived_at": None,
        "archived_by_actor_id": None,
    }
    assert client.organization.service_accounts.retrieve(row.id) == made
    assert client.beta.organization.service_accounts.retrieve(row.id).to_dict() == made.to_dict()


def test_who_is_signed_in_is_told_as_the_maker(door: Door, committed_people: Cast) -> None:
    ada = door.signed_in(committed_people.ada)
    token = {"X-CSRFToken": csrf(ada, "/")}

    made = ada.post(ACCOUNTS, json={"name": "ci", "organization_role": "admin"}, headers=token).json()
    archived = ada.post(f"{ACCOUNTS}/{made['id']}/archive", headers=token).json()

    assert (made["organization_role"], made["created_by_actor_id"]) == ("admin", committed_people.ada.id)
    assert archived["archived_by_actor_id"] == committed_people.ada.id


def test_the_list_is_walked_and_shows_the_archived_on_demand(client: anthropic.Anthropic) -> None:
    made = [client.organization.service_accounts.create(name=f"a{n}") for n in range(4)]
    client.organization.service_accounts.archive(made[2].id)

    def names(**filters: Any) -> list[str]:
        return [one.name for one in client.organization.service_accounts.list(limit=2, **filters)]

    assert names() == ["a3", "a1", "a0"]
    assert names(include_archived=True) == ["a3", "a2", "a1", "a0"]


def test_a_page_costs_two_queries_however_long_it_is(
    people: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, secret = admin_key(people.acme)
    for number in range(10):
        service_accounts.create(actor=SYSTEM, organization=people.acme, name=f"a{number}")

    with django_assert_num_queries(2):  # the key with its organization, the page
        answer = Client().get(f"{ACCOUNTS}?limit=10", headers={"x-api-key": secret})

    assert len(answer.json()["data"]) == 10


def test_a_name_is_taken_while_its_holder_lives(client: anthropic.Anthropic) -> None:
    first = client.organization.service_accounts.create(name="ci")

    with pytest.raises(anthropic.ConflictError, match="a service account named 'ci' exists already"):
        client.organization.service_accounts.create(name="ci")

    client.organization.service_accounts.archive(first.id)
    assert client.organization.service_accounts.create(name="ci").id != first.id


def test_description_and_role_change_and_the_name_does_not(client: anthropic.Anthropic) -> None:
    made = client.organization.service_accounts.create(name="ci", description="Builds")

    promoted = client.organization.service_accounts.update(made.id, organization_role="admin")
    cleared = client.organization.service_accounts.update(made.id, description=None, organization_role=None)
    client.organization.service_accounts.update(made.id)

    assert (promoted.organization_role, promoted.description) == ("admin", "Builds")
    assert (cleared.organization_role, cleared.description) == ("admin", "")
    lines = AuditEntry.objects.filter(action="service_account.changed").order_by("id")
    assert [line.details for line in lines] == [
        {"organization_role": ["developer", "admin"]},
        {"description": ["Builds", "none"]},
    ]


def test_archiving_stops_the_keys_that_act_for_it_within_a_second(
    client: anthropic.Anthropic, door: Door, committed_people: Cast
) -> None:
    account = client.organization.service_accounts.create(name="ci")
    row = ServiceAccount.objects.get()
    key, secret = api_keys.create(
        actor=SYSTEM, organization=committed_people.acme, name="CI", service_account=row
    )
    other, _ = api_keys.create(actor=SYSTEM, organization=committed_people.acme, name="other")
    assert _call(door, secret) == 200

    archived = client.organization.service_accounts.archive(account.id)
    again = client.organization.service_accounts.archive(account.id)

    deadline = time.monotonic() + 1
    while _call(door, secret) != 401:
        assert time.monotonic() < deadline, "the key still works"
    assert archived.archived_at is not None and again == archived
    assert dict(ApiKey.objects.filter(kind="api").values_list("id", "status")) == {
        key.id: "archived",
        other.id: "active",
    }
    line = AuditEntry.objects.get(action="service_account.archived")
    assert line.details == {"name": "ci", "archived_api_keys": [key.id]}
    with pytest.raises(anthropic.BadRequestError, match="is archived"):
        client.organization.service_accounts.update(account.id, description="x")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"name": ""}, "name: "),
        ({"name": "CI"}, "name: "),
        ({"name": "-ci"}, "name: "),
        ({"name": "c" * 65}, "name: "),
        ({"name": 7}, "name: "),
        ({"name": "ci", "organization_role": "owner"}, "organization_role: "),
        ({"name": "ci", "description": "d" * 1001}, "description: "),
        ({"name": "ci", "archived_at": None}, "archived_at: Extra inputs are not permitted"),
    ],
    ids=str,
)
def test_a_wrong_value_is_named(
    door: Door, committed_people: Cast, given: dict[str, object], message: str
) -> None:
    _, secret = admin_key(committed_people.acme)

    answer = httpx.post(door.base_url + ACCOUNTS, json=given, headers={"x-api-key": secret})

    assert (answer.status_code, answer.json()["error"]["message"][: len(message)]) == (400, message)
    assert not ServiceAccount.objects.exists()


def test_whoever_renames_one_is_told_that_names_stay(door: Door, committed_people: Cast) -> None:
    acme = committed_people.acme
    account = service_accounts.create(actor=SYSTEM, organization=acme, name="ci")

    with pytest.raises(anthropic.BadRequestError, match="name: A service account keeps the name"):
        door.sdk(admin_key(acme)[1]).post(f"{ACCOUNTS}/{account.id}", body={"name": "cd"}, cast_to=object)


# --- Workspaces ---


def test_a_role_in_a_workspace_is_given_changed_and_taken_from_both_sides(
    client: anthropic.Anthropic, lab: Workspace
) -> None:
    account = client.organization.service_accounts.create(name="ci")
    theirs, ours = (
        client.organization.workspaces.service_accounts,
        client.organization.service_accounts.workspaces,
    )
    ids = {"workspace_id": lab.id, "service_account_id": account.id}

    given = theirs.add(lab.id, service_account_id=account.id, workspace_role="workspace_developer")
    again = ours.add(account.id, workspace_id=lab.id, workspace_role="workspace_admin")
    changed = theirs.update(account.id, workspace_id=lab.id, workspace_role="workspace_user")

    shown = {
        "type": "service_account_workspace_member",
        **ids,
        "implicit": False,
        "created_by_actor_id": None,
    }
    assert given.to_dict() == shown | {"workspace_role": "workspace_developer"}
    assert again.to_dict() == shown | {"workspace_role": "workspace_admin"}
    assert changed.to_dict() == shown | {"workspace_role": "workspace_user"}
    assert theirs.retrieve(account.id, workspace_id=lab.id) == changed
    assert [place.service_account_id for place in theirs.list(lab.id)] == [account.id]

    gone = {"type": "service_account_workspace_member_deleted", **ids}
    assert theirs.remove(account.id, workspace_id=lab.id).to_dict() == gone
    assert ours.remove(lab.id, service_account_id=account.id).to_dict() == gone  # idempotent
    assert not ServiceAccountWorkspace.objects.exists()
    actions = AuditEntry.objects.filter(action__startswith="service_account_workspace").order_by("id")
    assert [line.action.partition(".")[2] for line in actions] == ["added", "role_set", "role_set", "removed"]


def test_everyone_is_in_the_default_workspace_without_being_put_there(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    account = client.organization.service_accounts.create(name="ci")
    default = committed_people.acme.workspaces.get(is_default=True)
    theirs, ours = (
        client.organization.workspaces.service_accounts,
        client.organization.service_accounts.workspaces,
    )
    ours.add(account.id, workspace_id=lab.id, workspace_role="workspace_developer")

    def places() -> list[tuple[str, str, bool | None]]:
        return [(one.workspace_id, one.workspace_role, one.implicit) for one in ours.list(account.id)]

    assert places() == [
        (default.id, "workspace_user", True),
        (lab.id, "workspace_developer", False),
    ]
    assert theirs.retrieve(account.id, workspace_id=default.id).implicit is True
    assert list(theirs.list(default.id)) == []
    with pytest.raises(anthropic.BadRequestError, match="An implicit membership cannot be changed"):
        theirs.update(account.id, workspace_id=default.id, workspace_role="workspace_admin")
    theirs.remove(account.id, workspace_id=default.id)  # nothing happens
    assert places()[0][2] is True

    theirs.add(default.id, service_account_id=account.id, workspace_role="workspace_admin")
    assert (default.id, "workspace_admin", False) in places()
    assert theirs.retrieve(account.id, workspace_id=default.id).workspace_role == "workspace_admin"


def test_places_are_walked_page_by_page(client: anthropic.Anthropic, committed_people: Cast) -> None:
    account = client.organization.service_accounts.create(name="ci")
    row = ServiceAccount.objects.get()
    made = [
        workspaces.create(actor=SYSTEM, organization=committed_people.acme, name=f"W{n}") for n in range(3)
    ]
    for workspace in made:
        service_account_workspaces.add(
            actor=SYSTEM, workspace=workspace, service_account=row, role="workspace_user"
        )

    listed = client.organization.service_accounts.workspaces.list(account.id, limit=1)

    ids = [place.workspace_id for place in listed]
    assert ids[1:] == [workspace.id for workspace in reversed(made)]
    assert len(ids) == 4  # the default one first


def place(account: ServiceAccount, workspace: Workspace) -> None:
    service_account_workspaces.add(
        actor=SYSTEM, workspace=workspace, service_account=account, role="workspace_user"
    )


def test_what_is_implicit_counts_among_the_entries_of_the_first_page(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    acme = committed_people.acme
    account = service_accounts.create(actor=SYSTEM, organization=acme, name="ci")
    for workspace in (lab, *(workspaces.create(actor=SYSTEM, organization=acme, name=n) for n in "AB")):
        place(account, workspace)
    listed = client.organization.service_accounts.workspaces.list

    assert [len(listed(account.id, limit=n).data) for n in (1, 2, 3, 4)] == [2, 2, 3, 4]
    assert [len(page.data) for page in listed(account.id, limit=2).iter_pages()] == [2, 2]


def test_a_cursor_ends_with_the_membership_it_was_made_of(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    acme, accounts = committed_people.acme, client.organization.service_accounts
    row = service_accounts.create(actor=SYSTEM, organization=acme, name="ci")
    other = workspaces.create(actor=SYSTEM, organization=acme, name="Other")
    for workspace in (lab, other):
        place(row, workspace)
    after_other = accounts.workspaces.list(row.id, limit=2).next_page

    assert [one.workspace_id for one in accounts.workspaces.list(row.id, page=after_other).data] == [lab.id]
    accounts.workspaces.remove(other.id, service_account_id=row.id)
    with pytest.raises(anthropic.BadRequestError, match="page: what it began after is gone"):
        accounts.workspaces.list(row.id, page=after_other)
    accounts.archive(row.id)
    with pytest.raises(anthropic.BadRequestError, match="page: what it began after is gone"):
        accounts.workspaces.list(row.id, page=after_other)


@pytest.mark.parametrize(
    ("side", "queries"),
    [
        ("workspaces", 3),  # the key with its organization, the workspace, the page
        (
            "service_accounts",
            5,
        ),  # the key, the account, the default workspace, what it was given there, the page
    ],
)
def test_a_page_of_memberships_costs_as_much_however_long_it_is(
    people: Cast, django_assert_num_queries: DjangoAssertNumQueries, side: str, queries: int
) -> None:
    acme, (_, secret) = people.acme, admin_key(people.acme)
    lab = workspaces.create(actor=SYSTEM, organization=acme, name="Lab")
    ci = service_accounts.create(actor=SYSTEM, organization=acme, name="ci")
    place(ci, lab)
    for number in range(10):
        place(ci, workspaces.create(actor=SYSTEM, organization=acme, name=f"W{number}"))
        place(service_accounts.create(actor=SYSTEM, organization=acme, name=f"a{number}"), lab)
    path = f"/v1/organizations/workspaces/{lab.id}/service_accounts"
    path = path if side == "workspaces" else f"{ACCOUNTS}/{ci.id}/workspaces"

    with django_assert_num_queries(queries):
        answer = Client().get(f"{path}?limit=12", headers={"x-api-key": secret})

    assert len(answer.json()["data"]) == (11 if side == "workspaces" else 12)


def test_what_is_archived_takes_part_in_nothing(client: anthropic.Anthropic, lab: Workspace) -> None:
    account = client.organization.service_accounts.create(name="ci")
    theirs, ours = (
        client.organization.workspaces.service_accounts,
        client.organization.service_accounts.workspaces,
    )
    theirs.add(lab.id, service_account_id=account.id, workspace_role="workspace_user")
    gone = client.organization.service_accounts.create(name="gone")
    theirs.add(lab.id, service_account_id=gone.id, workspace_role="workspace_user")

    client.organization.service_accounts.archive(gone.id)
    assert [place.service_account_id for place in theirs.list(lab.id)] == [account.id]
    assert list(ours.list(gone.id)) == []
    with pytest.raises(anthropic.NotFoundError):
        theirs.retrieve(gone.id, workspace_id=lab.id)
    with pytest.raises(anthropic.BadRequestError, match="is archived"):
        ours.add(gone.id, workspace_id=lab.id, workspace_role="workspace_user")

    Workspace.objects.filter(pk=lab.pk).update(archived_at=timezone.now())
    for attempt in (
        lambda: theirs.list(lab.id),
        lambda: theirs.retrieve(account.id, workspace_id=lab.id),
        lambda: theirs.add(lab.id, service_account_id=account.id, workspace_role="workspace_admin"),
        lambda: theirs.update(account.id, workspace_id=lab.id, workspace_role="workspace_admin"),
        lambda: theirs.remove(account.id, workspace_id=lab.id),
        lambda: ours.remove(lab.id, service_account_id=account.id),
    ):
        with pytest.raises(anthropic.BadRequestError, match="is archived"):
            attempt()
    assert len(list(ours.list(account.id))) == 2  # to audit what there was


def test_billing_is_for_people(client: anthropic.Anthropic, lab: Workspace) -> None:
    account = client.organization.service_accounts.create(name="ci")

    with pytest.raises(anthropic.BadRequestError, match="workspace_role: "):
        client.organization.workspaces.service_accounts.add(
            lab.id,
            service_account_id=account.id,
            workspace_role="workspace_billing",  # type: ignore[arg-type]
        )


def test_those_of_another_organization_do_not_exist(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    foreign = service_accounts.create(actor=SYSTEM, organization=committed_people.umbrella, name="ci")
    own = client.organization.service_accounts.create(name="ci").id
    elsewhere = committed_people.umbrella.workspaces.get().id
    accounts, theirs = client.organization.service_accounts, client.organization.workspaces.service_accounts
    role: Any = "workspace_user"

    for account in (foreign.id, "svac_01nothing", "svac\x00"):
        for attempt in (
            lambda id: accounts.retrieve(id),
            lambda id: accounts.update(id, description="x"),
            lambda id: accounts.archive(id),
            lambda id: accounts.workspaces.list(id),
            lambda id: accounts.workspaces.add(id, workspace_id=lab.id, workspace_role=role),
            lambda id: theirs.retrieve(id, workspace_id=lab.id),
            lambda id: theirs.update(id, workspace_id=lab.id, workspace_role=role),
            lambda id: theirs.remove(id, workspace_id=lab.id),
        ):
            with pytest.raises(anthropic.NotFoundError, match="Service account not found"):
                attempt(account)
    for workspace in (elsewhere, "wrkspc_01nothing"):
        for inside in (
            lambda id: accounts.workspaces.add(own, workspace_id=id, workspace_role=role),
            lambda id: accounts.workspaces.remove(id, service_account_id=own),
            lambda id: theirs.list(id),
            lambda id: theirs.add(id, service_account_id=own, workspace_role=role),
        ):
            with pytest.raises(anthropic.NotFoundError, match="Workspace not found"):
                inside(workspace)


def _call(door: Door, secret: str) -> int:
    body = {
        "model": "claude-haiku-5-5",
        "max_tokens": 16,
        "messages": [{"role": "user", "content": "Hello"}],
    }
    return httpx.post(door.base_url + "/v1/messages", json=body, headers={"x-api-key": secret}).status_code
