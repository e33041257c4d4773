"""Spend limits over the Admin API, as the official SDK sets, lists and removes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import anthropic
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import api_keys, memberships, spend_limits, workspaces
from admin_api.actor import SYSTEM
from gateway.directory.change import Change
from gateway.errors import NotFound
from gateway.models import AuditEntry, Membership, Organization, SpendLimit, Workspace
from tests.admin_api.door import Door, admin_key
from tests.people import Cast

PATH = "/v1/organizations/spend_limits"


@pytest.fixture
def client(door: Door, committed_people: Cast) -> anthropic.Anthropic:
    return door.sdk(admin_key(committed_people.acme)[1])


@pytest.fixture
def lab(committed_people: Cast) -> Workspace:
    return workspaces.create(actor=SYSTEM, organization=committed_people.acme, name="Lab")


def limit_of(organization: Organization, **scope: Any) -> SpendLimit:
    given = {"period": "monthly", "amount": 100} | scope
    return spend_limits.set_amount(actor=SYSTEM, organization=organization, **given)


def says(client: anthropic.Anthropic, body: object) -> str:
    """The words of a 400, for bodies that the SDK's types do not let through."""
    with pytest.raises(anthropic.BadRequestError) as refused:
        client.post(PATH, body=body, cast_to=object)
    return str(refused.value.body["error"]["message"])  # type: ignore[index]


def absent(call: Callable[[], object]) -> str:
    with pytest.raises(anthropic.NotFoundError) as refused:
        call()
    return str(refused.value.body["error"]["message"])  # type: ignore[index]


# --- Set ---


def test_a_limit_is_set_and_shown_with_every_field(client: anthropic.Anthropic) -> None:
    made = client.beta.organization.spend_limits.set(scope={"type": "organization"}, amount="50000")

    row = SpendLimit.objects.get()
    assert made.to_dict(mode="python") == {
        "id": row.id,
        "type": "spend_limit",
        "scope": {"type": "organization"},
        "amount": "50000",
        "currency": "USD",
        "period": "monthly",
        "is_enabled": True,
        "created_at": row.created_at,
        "updated_at": row.updated_at,
    }
    assert client.beta.organization.spend_limits.retrieve(made.id) == made
    assert client.beta.organization.spend_limits.list().data == [made]


def test_each_scope_and_period_has_a_limit_of_its_own(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    default = Workspace.objects.get(organization=committed_people.acme, is_default=True)
    scopes: list[Any] = [
        {"type": "organization"},
        {"type": "workspace", "workspace_id": lab.id},
        {"type": "workspace", "workspace_id": default.id},
        {"type": "user", "user_id": committed_people.dev.id},
    ]
    limits = client.beta.organization.spend_limits

    made = [limits.set(scope=scope, amount="1", period=p) for scope in scopes for p in ("daily", "weekly")]

    assert len({limit.id for limit in made}) == 8
    assert [limit.scope.to_dict() for limit in made[::2]] == scopes
    assert [limit.id for limit in limits.list(limit=3)] == [limit.id for limit in made[::-1]]


def test_another_amount_for_the_same_scope_and_period_changes_the_limit(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    limits = client.beta.organization.spend_limits
    dev: Any = {"type": "user", "user_id": committed_people.dev.id}

    first = limits.set(scope=dev, amount="0", period="daily")
    again = limits.set(scope=dev, amount="0", period="daily")
    lifted = limits.set(scope=dev, amount=None, period="daily")
    largest = limits.set(scope=dev, amount="9" * 15, period="daily")

    assert first == again
    assert {first.id, lifted.id, largest.id} == {first.id}
    assert [first.amount, lifted.amount, largest.amount] == ["0", None, "9" * 15]
    assert first.created_at == largest.created_at < lifted.updated_at < largest.updated_at
    lines = AuditEntry.objects.filter(action="spend_limit.set").order_by("id")
    place = {"scope": dev, "period": "daily"}
    assert [line.details for line in lines] == [
        {**place, "new": "0"},
        {**place, "old": "0", "new": None},
        {**place, "old": None, "new": "9" * 15},
    ]
    assert {(line.actor_type, line.target_id) for line in lines} == {("api_key", first.id)}


ALL: dict[str, Any] = {"scope": {"type": "organization"}, "amount": "1"}


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"amount": "1"}, "scope: Field required"),
        ({"scope": {"type": "organization"}}, "amount: Field required"),
        *[
            (ALL | {"amount": amount}, "amount: Input should be a string of 1 to 15 digits")
            for amount in (5, 5.5, True)
        ],
        *[
            (ALL | {"amount": amount}, "amount: Input should be a string of 1 to 15 digits")
            for amount in ("-1", "+1", "1.5", " 1", "1 ", "1\n", "1e3", "\u0661", "1" * 16, "1" * 10_000)
        ],
        (ALL | {"amount": ""}, "amount: String should have at least 1 character"),
        (ALL | {"period": "yearly"}, 'period: "yearly" is not a valid value'),
        (ALL | {"period": None}, "period: Input should not be null"),
        (ALL | {"more": 1}, "more: Extra inputs"),
        (ALL | {"scope": "organization"}, "scope: Input should be an object"),
        (ALL | {"scope": {}}, "scope.type: Field required"),
        *[
            (ALL | {"scope": {"type": type}}, f'scope.type: "{type}" is not a valid value')
            for type in ("seat_tier", "rbac_group", "organization_service", "usage_tier", "api_key")
        ],
        (ALL | {"scope": {"type": "workspace"}}, "scope.workspace_id: Field required"),
        (ALL | {"scope": {"type": "user"}}, "scope.user_id: Field required"),
        (ALL | {"scope": {"type": "user", "user_id": 5}}, "scope.user_id: Input should be a valid string"),
        (ALL | {"scope": {"type": "user", "user_id": "u" * 10_000}}, "scope.user_id: String should have at"),
        (ALL | {"scope": {"type": "organization", "user_id": "u"}}, "scope.user_id: Extra inputs"),
        (ALL | {"scope": {"type": "organization", "more": 1}}, "scope.more: Extra inputs"),
    ],
)
def test_a_limit_that_is_not_right_is_refused_by_name(
    client: anthropic.Anthropic, body: dict[str, Any], words: str
) -> None:
    assert says(client, body).startswith(words)
    assert not SpendLimit.objects.exists()


def test_a_workspace_that_is_archived_takes_no_limit(client: anthropic.Anthropic, lab: Workspace) -> None:
    workspaces.archive(actor=SYSTEM, workspace=lab)

    words = says(client, ALL | {"scope": {"type": "workspace", "workspace_id": lab.id}})

    assert words == "The workspace 'Lab' is archived and cannot be changed."


def test_who_left_a_moment_ago_gets_no_limit(people: Cast) -> None:
    memberships.remove(actor=SYSTEM, membership=Membership.objects.get(user=people.dev))

    with pytest.raises(NotFound, match="User not found"):
        limit_of(people.acme, user=people.dev)


# --- List and remove ---


def test_each_change_is_told_to_the_processes_that_serve(
    people: Cast, django_capture_on_commit_callbacks: Any
) -> None:
    def told(act: Callable[[], object]) -> list[tuple[object, ...]]:
        with django_capture_on_commit_callbacks() as callbacks:
            act()
        return [callback.args for callback in callbacks]

    def set_to(amount: int | None) -> list[tuple[object, ...]]:
        of = {"organization": people.acme, "user": people.dev, "period": "daily"}
        return told(lambda: spend_limits.set_amount(actor=SYSTEM, amount=amount, **of))

    changed = [(Change("organization", str(people.acme.id)),)]
    assert [set_to(amount) for amount in (5, 5, 6, None)] == [changed, [], changed, changed]
    limit = SpendLimit.objects.get()
    assert told(lambda: spend_limits.remove(actor=SYSTEM, spend_limit=limit)) == changed


def test_the_list_is_filtered_by_scope_and_workspace(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    acme = committed_people.acme
    whole, of_lab = limit_of(acme), limit_of(acme, workspace=lab)
    of_dev = limit_of(acme, user=committed_people.dev)
    other = workspaces.create(actor=SYSTEM, organization=acme, name="Other")
    of_other = limit_of(acme, workspace=other)

    def found(**filters: Any) -> list[str]:
        return [limit.id for limit in client.beta.organization.spend_limits.list(**filters)]

    assert found(scope_type=["organization"]) == [whole.id]
    assert found(scope_type=["user", "organization"]) == [of_dev.id, whole.id]
    assert found(scope_type=["workspace"]) == [of_other.id, of_lab.id]
    assert found(workspace_id=lab.id) == [of_lab.id]
    assert found(workspace_id=lab.id, scope_type=["user"]) == found(workspace_id="wrkspc_01nothing") == []


def test_the_list_needs_no_beta_header(door: Door, committed_people: Cast) -> None:
    limit = limit_of(committed_people.acme)

    answer = door.ask(path=PATH, key=admin_key(committed_people.acme)[1])

    assert (answer.status, [one["id"] for one in answer.json["data"]]) == (200, [limit.id])


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "page=page_x",
        "page=%00",
        "scope_type[]=seat_tier",
        "scope_type[]=rbac_group",
        "scope_type[]=organization_service",
        "scope_type=usage_tier",
        "scope_type=nothing",
        "workspace_id=a%00b",
    ],
)
def test_a_query_that_is_not_right_is_refused_by_name(client: anthropic.Anthropic, query: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=query.partition("=")[0].removesuffix("[]")):
        client.get(f"{PATH}?{query}", cast_to=object)


def test_a_limit_is_removed(client: anthropic.Anthropic, committed_people: Cast) -> None:
    limits, limit = client.beta.organization.spend_limits, limit_of(committed_people.acme)

    removed = limits.delete(limit.id)

    assert removed.to_dict() == {"id": limit.id, "type": "spend_limit_deleted"}
    assert limits.list().data == []
    line = AuditEntry.objects.get(action="spend_limit.removed")
    assert line.details == {"scope": {"type": "organization"}, "period": "monthly", "old": "100"}
    for call in (limits.retrieve, limits.delete):
        assert absent(lambda call=call: call(limit.id)) == "Spend limit not found."  # type: ignore[misc]


# --- Isolation ---


def test_limits_of_keys_and_of_another_organization_do_not_exist(
    client: anthropic.Anthropic, door: Door, committed_people: Cast
) -> None:
    acme, umbrella = committed_people.acme, committed_people.umbrella
    key, _ = api_keys.create(actor=SYSTEM, organization=acme, name="k")
    of_key = SpendLimit.objects.create(organization=acme, api_key=key, period="daily", amount=1)
    theirs = limit_of(umbrella)
    limits = client.beta.organization.spend_limits

    assert limits.list().data == []
    for id in (of_key.id, theirs.id, "spl_01nothing", "spl\x00"):
        for call in (limits.retrieve, limits.delete):
            assert (
                absent(lambda call=call, id=id: call(id))  # type: ignore[misc]
                == "Spend limit not found."
            )
    assert SpendLimit.objects.count() == 2
    limit_of(acme)
    limit_of(acme, period="daily")
    page = limits.list(limit=1).next_page
    with pytest.raises(anthropic.BadRequestError, match="page: not a page of this list"):
        door.sdk(admin_key(umbrella)[1]).beta.organization.spend_limits.list(page=page)


def test_nothing_of_another_organization_can_be_limited(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    theirs = Workspace.objects.get(organization=committed_people.umbrella)
    set_limit = client.beta.organization.spend_limits.set

    for id in (theirs.id, "wrkspc_01nothing"):
        scope: Any = {"type": "workspace", "workspace_id": id}
        assert absent(lambda scope=scope: set_limit(scope=scope, amount="1")) == (  # type: ignore[misc]
            "Workspace not found."
        )
    for id in (committed_people.mallory.id, committed_people.olga.id, "user_01nothing"):
        scope = {"type": "user", "user_id": id}
        assert absent(lambda scope=scope: set_limit(scope=scope, amount="1")) == (  # type: ignore[misc]
            "User not found."
        )
    assert not SpendLimit.objects.exists()


def test_a_page_costs_two_queries_however_long_it_is(
    people: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, secret = admin_key(people.acme)
    for user in (None, people.ada, people.dev, people.bill, people.uma):
        for period in ("daily", "weekly", "monthly"):
            limit_of(people.acme, user=user, period=period)

    with django_assert_num_queries(2):  # the key with its organization, the page
        answer = Client().get(f"{PATH}?limit=15", headers={"x-api-key": secret})

    assert (len(answer.json()["data"]), answer.json()["next_page"]) == (15, None)
