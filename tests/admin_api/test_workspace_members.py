"""Members of a workspace over the Admin API, as the official SDK asks for them."""

from __future__ import annotations

from typing import Any

import anthropic
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import workspaces
from admin_api.actor import SYSTEM
from gateway.models import AuditEntry, Membership, Organization, User, Workspace, WorkspaceMember
from tests.admin_api.door import Door, admin_key, refused
from tests.people import Cast, person

FROM_THE_ORGANIZATION = r"cannot be changed: it comes from the role '(admin|billing)' in the organization"
IN_THE_DEFAULT = "in the default workspace it comes from the role in the organization"
INHERITED = [("Bill", "workspace_billing"), ("Ada", "workspace_admin")]


@pytest.fixture
def client(door: Door, committed_people: Cast) -> anthropic.Anthropic:
    return door.sdk(admin_key(committed_people.acme)[1])


@pytest.fixture
def lab(committed_people: Cast) -> Workspace:
    return workspaces.create(actor=SYSTEM, organization=committed_people.acme, name="Lab")


def default_of(organization: Organization) -> str:
    return Workspace.objects.get(organization=organization, is_default=True).id


def roles(client: anthropic.Anthropic, workspace_id: str) -> list[tuple[str, str]]:
    """Names and roles, in the order of the list."""
    names = dict(User.objects.values_list("id", "name"))
    listed = client.organization.workspaces.members.list(workspace_id)
    return [(names[one.user_id], one.workspace_role) for one in listed]


# --- Add and show ---


def test_a_member_is_added_shown_changed_and_removed(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    dev, members = committed_people.dev, client.organization.workspaces.members

    added = members.add(lab.id, user_id=dev.id, workspace_role="workspace_developer")
    shown = members.retrieve(dev.id, workspace_id=lab.id)
    changed = members.update(dev.id, workspace_id=lab.id, workspace_role="workspace_admin")
    same = members.update(dev.id, workspace_id=lab.id, workspace_role="workspace_admin")
    removed = members.remove(dev.id, workspace_id=lab.id)

    member = {"type": "workspace_member", "user_id": dev.id, "workspace_id": lab.id}
    assert added.to_dict() == shown.to_dict() == member | {"workspace_role": "workspace_developer"}
    assert changed.to_dict() == same.to_dict() == member | {"workspace_role": "workspace_admin"}
    assert removed.to_dict() == member | {"type": "workspace_member_deleted"}
    lines = AuditEntry.objects.filter(action__startswith="workspace_member.").order_by("id")
    assert [(line.action, line.target_id, line.details) for line in lines] == [
        ("workspace_member.added", lab.id, {"user_id": dev.id, "role": "workspace_developer"}),
        (
            "workspace_member.role_set",
            lab.id,
            {"user_id": dev.id, "old": "workspace_developer", "new": "workspace_admin"},
        ),
        ("workspace_member.removed", lab.id, {"user_id": dev.id, "role": "workspace_admin"}),
    ]
    for attempt in (
        lambda: members.retrieve(dev.id, workspace_id=lab.id),
        lambda: members.update(dev.id, workspace_id=lab.id, workspace_role="workspace_user"),
        lambda: members.remove(dev.id, workspace_id=lab.id),
    ):
        with pytest.raises(anthropic.NotFoundError, match="Workspace member not found"):
            attempt()


@pytest.mark.parametrize(
    "role", ["workspace_user", "workspace_developer", "workspace_restricted_developer", "workspace_admin"]
)
def test_every_role_but_billing_is_granted(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace, role: Any
) -> None:
    added = client.organization.workspaces.members.add(
        lab.id, user_id=committed_people.uma.id, workspace_role=role
    )

    assert added.workspace_role == role


GRANTED = "workspace_user, workspace_developer, workspace_restricted_developer, workspace_admin"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"workspace_role": "workspace_user"}, "user_id: Field required"),
        ({"user_id": "UMA"}, "workspace_role: Field required"),
        ({"user_id": "UMA", "workspace_role": None}, "workspace_role: Input should not be null"),
        (
            {"user_id": "UMA", "workspace_role": "workspace_billing"},
            'workspace_role: "workspace_billing" is not a valid value; expected one of ' + GRANTED,
        ),
        (
            {"user_id": "UMA", "workspace_role": "admin"},
            'workspace_role: "admin" is not a valid value; expected one of ' + GRANTED,
        ),
        ({"user_id": 1, "workspace_role": "workspace_user"}, "user_id: Input should be a valid string"),
        (
            {"user_id": "u" * 10_000, "workspace_role": "workspace_user"},
            "user_id: String should have at most 100 characters",
        ),
        (
            {"user_id": "UMA", "workspace_role": "workspace_user", "role": "user"},
            "role: Extra inputs are not permitted",
        ),
    ],
)
def test_who_cannot_be_added_is_refused_by_name(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace, body: dict[str, Any], message: str
) -> None:
    if body.get("user_id") == "UMA":
        body = body | {"user_id": committed_people.uma.id}

    with pytest.raises(anthropic.BadRequestError) as refusal:
        client.post(f"/v1/organizations/workspaces/{lab.id}/members", body=body, cast_to=object)

    assert refusal.value.body["error"]["message"] == message  # type: ignore[index]
    assert not WorkspaceMember.objects.exists()


def test_who_is_a_member_already_is_not_added(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    people, members = committed_people, client.organization.workspaces.members
    members.add(lab.id, user_id=people.dev.id, workspace_role="workspace_user")

    for user in (people.dev, people.ada, people.bill):
        with pytest.raises(
            anthropic.BadRequestError, match="is a member of this workspace already"
        ) as refusal:
            members.add(lab.id, user_id=user.id, workspace_role="workspace_developer")
        assert type(refusal.value).__name__ == "AlreadyMemberError"
    assert WorkspaceMember.objects.get().role == "workspace_user"


# --- What comes from the organization ---


def test_admins_and_billing_people_are_members_of_every_workspace(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    assert roles(client, lab.id) == INHERITED
    shown = client.organization.workspaces.members.retrieve(committed_people.ada.id, workspace_id=lab.id)
    assert shown.to_dict() == {
        "type": "workspace_member",
        "user_id": committed_people.ada.id,
        "workspace_id": lab.id,
        "workspace_role": "workspace_admin",
    }


def test_a_role_from_the_organization_is_neither_changed_nor_removed(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    members = client.organization.workspaces.members
    for user, role in (
        (committed_people.ada, "workspace_admin"),
        (committed_people.bill, "workspace_billing"),
    ):
        with pytest.raises(anthropic.BadRequestError, match=FROM_THE_ORGANIZATION):
            members.update(user.id, workspace_id=lab.id, workspace_role="workspace_user")
        with pytest.raises(anthropic.BadRequestError, match=FROM_THE_ORGANIZATION):
            members.remove(user.id, workspace_id=lab.id)
        same = members.update(user.id, workspace_id=lab.id, workspace_role=role)  # type: ignore[arg-type]
        assert same.workspace_role == role
    assert roles(client, lab.id) == INHERITED


def test_the_billing_role_is_only_inherited(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    members = client.organization.workspaces.members
    members.add(lab.id, user_id=committed_people.dev.id, workspace_role="workspace_user")

    with pytest.raises(anthropic.BadRequestError, match="workspace_role: workspace_billing is not granted"):
        members.update(committed_people.dev.id, workspace_id=lab.id, workspace_role="workspace_billing")

    assert members.retrieve(committed_people.dev.id, workspace_id=lab.id).workspace_role == "workspace_user"


def test_a_role_from_the_organization_counts_before_one_that_was_given(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    dev, members = committed_people.dev, client.organization.workspaces.members
    members.add(lab.id, user_id=dev.id, workspace_role="workspace_user")

    def role_as(organization_role: Any) -> str:
        client.organization.users.update(dev.id, role=organization_role)
        return members.retrieve(dev.id, workspace_id=lab.id).workspace_role

    assert role_as("billing") == "workspace_billing"
    with pytest.raises(anthropic.BadRequestError, match=FROM_THE_ORGANIZATION):
        members.remove(dev.id, workspace_id=lab.id)
    assert role_as("developer") == "workspace_user"


def test_everybody_is_a_member_of_the_default_workspace_and_nothing_changes_there(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    people, members = committed_people, client.organization.workspaces.members
    person("Cleo", people.acme, Membership.Role.CLAUDE_CODE_USER)
    default = default_of(people.acme)
    everybody = [
        ("Cleo", "workspace_user"),
        ("Uma", "workspace_user"),
        ("Bill", "workspace_billing"),
        ("Dev", "workspace_developer"),
        ("Ada", "workspace_admin"),
    ]
    assert roles(client, default) == everybody

    for user in (people.uma, people.dev, people.ada):
        for attempt in (
            lambda id: members.add(default, user_id=id, workspace_role="workspace_admin"),
            lambda id: members.update(id, workspace_id=default, workspace_role="workspace_user"),
            lambda id: members.remove(id, workspace_id=default),
        ):
            with pytest.raises(anthropic.BadRequestError, match=IN_THE_DEFAULT):
                attempt(user.id)
    assert roles(client, default) == everybody
    assert not WorkspaceMember.objects.exists()


def test_an_archived_workspace_is_shown_and_gets_no_members(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    people, members = committed_people, client.organization.workspaces.members
    members.add(lab.id, user_id=people.dev.id, workspace_role="workspace_user")
    client.organization.workspaces.archive(lab.id)

    for attempt in (
        lambda: members.add(lab.id, user_id=people.uma.id, workspace_role="workspace_user"),
        lambda: members.update(people.dev.id, workspace_id=lab.id, workspace_role="workspace_admin"),
        lambda: members.remove(people.dev.id, workspace_id=lab.id),
    ):
        with pytest.raises(anthropic.BadRequestError, match="The workspace 'Lab' is archived"):
            attempt()
    assert roles(client, lab.id) == [INHERITED[0], ("Dev", "workspace_user"), INHERITED[1]]


# --- List ---


def test_the_list_is_walked_in_both_directions(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    people, members = committed_people, client.organization.workspaces.members
    for user in (people.dev, people.uma):
        members.add(lab.id, user_id=user.id, workspace_role="workspace_user")
    newest_first = [people.uma.id, people.bill.id, people.dev.id, people.ada.id]

    first = members.list(lab.id, limit=3)
    older = members.list(lab.id, limit=3, after_id=first.last_id or "")
    backwards = members.list(lab.id, limit=1, before_id=older.last_id or "").iter_pages()

    assert [one.user_id for one in members.list(lab.id, limit=1)] == newest_first
    assert ([one.user_id for one in first.data], first.has_more) == (newest_first[:3], True)
    assert ([one.user_id for one in older.data], older.has_more) == (newest_first[3:], False)
    assert (first.first_id, first.last_id) == (people.uma.id, people.dev.id)
    assert [page.data[0].user_id for page in backwards] == newest_first[2::-1]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit: Input should be greater than or equal to 1"),
        ("limit=1001", "limit: Input should be less than or equal to 1000"),
        ("after_id=a&before_id=b", "before_id: Only one of after_id and before_id may be given"),
        ("after_id=MALLORY", "after_id: no object of this list has the id"),
    ],
)
def test_a_list_that_cannot_be_is_refused_by_name(
    door: Door, committed_people: Cast, lab: Workspace, query: str, message: str
) -> None:
    query = query.replace("MALLORY", committed_people.mallory.id)
    path = f"/v1/organizations/workspaces/{lab.id}/members?{query}"

    answer = door.ask(path=path, key=admin_key(committed_people.acme)[1])

    assert refused(answer, 400, "invalid_request_error").startswith(message)


@pytest.mark.parametrize("default", [True, False])
def test_a_page_costs_three_queries_however_long_it_is(
    people: Cast, django_assert_num_queries: DjangoAssertNumQueries, default: bool
) -> None:
    _, secret = admin_key(people.acme)
    lab = workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")
    for number in range(10):
        user = person(f"P{number}", people.acme, Membership.Role.USER)
        WorkspaceMember.objects.create(
            organization=people.acme, workspace=lab, user=user, role="workspace_user"
        )
    path = f"/v1/organizations/workspaces/{default_of(people.acme) if default else lab.id}/members?limit=10"

    with django_assert_num_queries(3):  # the key with its organization, the workspace, the page
        answer = Client().get(path, headers={"x-api-key": secret})

    assert (len(answer.json()["data"]), answer.json()["has_more"]) == (10, True)


# --- Isolation ---


def test_workspaces_and_people_of_another_organization_do_not_exist(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    people, members = committed_people, client.organization.workspaces.members
    theirs = workspaces.create(actor=SYSTEM, organization=people.umbrella, name="Theirs")

    for workspace_id in (theirs.id, default_of(people.umbrella), "wrkspc_01nothing", "wrkspc\x00"):
        for attempt in (
            lambda id: members.list(id),
            lambda id: members.add(id, user_id=people.uma.id, workspace_role="workspace_user"),
            lambda id: members.retrieve(people.ada.id, workspace_id=id),
            lambda id: members.update(people.ada.id, workspace_id=id, workspace_role="workspace_user"),
            lambda id: members.remove(people.ada.id, workspace_id=id),
        ):
            assert not_found(attempt, workspace_id) == "Workspace not found."
    for user_id in (people.mallory.id, people.olga.id, "user_01nothing", "user\x00"):
        for attempt in (
            lambda id: members.retrieve(id, workspace_id=lab.id),
            lambda id: members.update(id, workspace_id=lab.id, workspace_role="workspace_user"),
            lambda id: members.remove(id, workspace_id=lab.id),
        ):
            assert not_found(attempt, user_id) == "Workspace member not found."
    for user_id in (people.mallory.id, people.olga.id, "user_01nothing"):
        add = lambda id: members.add(lab.id, user_id=id, workspace_role="workspace_user")  # noqa: E731
        assert not_found(add, user_id) == "User not found."
    assert not WorkspaceMember.objects.exists()


def not_found(attempt: Any, id: str) -> str:
    with pytest.raises(anthropic.NotFoundError) as refusal:
        attempt(id)
    error = refusal.value.body["error"]  # type: ignore[index]
    assert error == {"type": "not_found_error", "message": error["message"]}
    return str(error["message"])
