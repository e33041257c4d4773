"""Members of an organization over the Admin API, as the official SDK asks for them."""

from __future__ import annotations

import anthropic
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import api_keys, workspaces
from admin_api.actor import SYSTEM
from gateway.models import ApiKey, AuditEntry, Membership, WorkspaceMember
from tests.admin_api.door import Door, admin_key
from tests.people import Cast, person


@pytest.fixture
def client(door: Door, committed_people: Cast) -> anthropic.Anthropic:
    return door.sdk(admin_key(committed_people.acme)[1])


def test_a_member_is_shown_as_the_sdk_knows_users(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    ada = client.organization.users.retrieve(committed_people.ada.id)

    joined = Membership.objects.get(user=committed_people.ada).added_at
    assert ada.to_dict(mode="python") == {
        "id": committed_people.ada.id,
        "type": "user",
        "email": "ada@example.com",
        "name": "Ada",
        "role": "admin",
        "added_at": joined,
    }


def test_the_list_is_walked_in_both_directions(client: anthropic.Anthropic, committed_people: Cast) -> None:
    newest_first = ["Uma", "Bill", "Dev", "Ada"]

    first = client.organization.users.list(limit=3)
    older = client.organization.users.list(limit=3, after_id=first.last_id or "")
    newer = client.organization.users.list(limit=2, before_id=older.first_id or "")

    assert [user.name for user in client.organization.users.list(limit=1)] == newest_first
    assert ([user.name for user in first.data], first.has_more) == (newest_first[:3], True)
    assert ([user.name for user in older.data], older.has_more) == (newest_first[3:], False)
    assert ([user.name for user in newer.data], newer.has_more) == (newest_first[1:3], True)
    backwards = [
        page.data[0].name
        for page in client.organization.users.list(limit=1, before_id=older.last_id).iter_pages()
    ]
    assert backwards == ["Dev", "Bill", "Uma"]


def test_the_list_is_filtered_by_address_and_roles(client: anthropic.Anthropic) -> None:
    def names(**filters: object) -> list[str]:
        return [user.name for user in client.organization.users.list(**filters)]  # type: ignore[arg-type]

    assert names(email="ADA@example.com") == ["Ada"]
    assert names(email="ada") == []
    assert names(roles=["billing", "user"]) == ["Uma", "Bill"]
    assert names(roles=["developer"], email="ada@example.com") == []


def test_a_role_is_changed(client: anthropic.Anthropic, committed_people: Cast) -> None:
    changed = client.organization.users.update(committed_people.dev.id, role="billing")

    assert (changed.name, changed.role) == ("Dev", "billing")
    assert Membership.objects.get(user=committed_people.dev).role == "billing"
    line = AuditEntry.objects.get(action="membership.role_set")
    assert (line.actor_type, line.target_id) == ("api_key", committed_people.dev.id)
    assert line.details == {"old": "developer", "new": "billing"}


@pytest.mark.parametrize("role", ["admin", "managed", "owner", "workspace_admin", ""])
def test_a_role_that_cannot_be_granted_is_refused_by_name(
    client: anthropic.Anthropic, committed_people: Cast, role: str
) -> None:
    with pytest.raises(anthropic.BadRequestError, match="role: "):
        client.organization.users.update(committed_people.dev.id, role=role)  # type: ignore[arg-type]

    assert Membership.objects.get(user=committed_people.dev).role == "developer"


def test_the_last_admin_stays_one(client: anthropic.Anthropic, committed_people: Cast) -> None:
    for attempt in (
        lambda: client.organization.users.update(committed_people.ada.id, role="user"),
        lambda: client.organization.users.remove(committed_people.ada.id),
    ):
        with pytest.raises(anthropic.BadRequestError, match="The last admin of an organization stays one"):
            attempt()

    eve = person("Eve", committed_people.acme, Membership.Role.ADMIN)
    assert client.organization.users.update(committed_people.ada.id, role="user").role == "user"
    with pytest.raises(anthropic.BadRequestError, match="The last admin"):
        client.organization.users.remove(eve.id)


def test_the_only_member_cannot_be_removed_or_demoted(door: Door, committed_people: Cast) -> None:
    umbrella = door.sdk(admin_key(committed_people.umbrella)[1])

    with pytest.raises(anthropic.BadRequestError) as refused:
        umbrella.organization.users.remove(committed_people.mallory.id)

    assert type(refused.value).__name__ == "CannotRemoveLastMemberError"
    with pytest.raises(anthropic.BadRequestError) as refused:
        umbrella.organization.users.update(committed_people.mallory.id, role="user")
    assert refused.value.body["error"] == {  # type: ignore[index]
        "type": "invalid_request_error",
        "message": "The only member of an organization cannot be demoted or removed.",
    }


def test_whoever_is_removed_leaves_workspaces_and_their_keys_behind(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    acme, dev = committed_people.acme, committed_people.dev
    lab = workspaces.create(actor=SYSTEM, organization=acme, name="Lab")
    WorkspaceMember.objects.create(organization=acme, workspace=lab, user=dev, role="workspace_developer")
    own, _ = api_keys.create(actor=SYSTEM, organization=acme, name="Dev's own", created_by=dev)
    ApiKey.objects.filter(pk=own.pk).update(user=dev)
    made, _ = api_keys.create(actor=SYSTEM, organization=acme, name="The server's", created_by=dev)

    removed = client.organization.users.remove(dev.id)

    assert removed.to_dict() == {"id": dev.id, "type": "user_deleted"}
    assert not WorkspaceMember.objects.filter(user=dev).exists()
    assert dict(ApiKey.objects.filter(pk__in=[own.pk, made.pk]).values_list("name", "status")) == {
        "Dev's own": "archived",
        "The server's": "active",
    }
    with pytest.raises(anthropic.NotFoundError, match="User not found"):
        client.organization.users.retrieve(dev.id)
    with pytest.raises(anthropic.NotFoundError, match="User not found"):
        client.organization.users.remove(dev.id)


def test_who_is_removed_is_out_of_the_dashboard_at_once(
    client: anthropic.Anthropic, door: Door, committed_people: Cast
) -> None:
    eve = person("Eve", committed_people.acme, Membership.Role.ADMIN)
    signed_in = door.signed_in(eve)
    assert signed_in.get("/v1/organizations/users").status_code == 200

    client.organization.users.remove(eve.id)

    assert signed_in.get("/v1/organizations/users").status_code == 403


def test_members_of_another_organization_do_not_exist(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    mallory = committed_people.mallory

    for attempt in (
        lambda id: client.organization.users.retrieve(id),
        lambda id: client.organization.users.update(id, role="user"),
        lambda id: client.organization.users.remove(id),
    ):
        messages = []
        for id in (mallory.id, "user_01nothing", "user\x00"):
            with pytest.raises(anthropic.NotFoundError) as refused:
                attempt(id)
            messages.append(refused.value.body["error"])  # type: ignore[index]
        assert messages == [{"type": "not_found_error", "message": "User not found."}] * 3
    assert Membership.objects.filter(user=mallory, role="admin").exists()


def test_a_page_costs_two_queries_however_long_it_is(
    people: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, secret = admin_key(people.acme)
    for number in range(10):
        person(f"P{number}", people.acme, Membership.Role.USER)

    with django_assert_num_queries(2):  # the key with its organization, the page
        answer = Client().get("/v1/organizations/users?limit=10", headers={"x-api-key": secret})

    assert (len(answer.json()["data"]), answer.json()["has_more"]) == (10, True)
