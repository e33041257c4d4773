"""Members' requests for higher spend limits over the Admin API, as the official SDK decides them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import anthropic
import pytest
from django.db import connection
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import memberships, spend_limit_increase_requests, spend_limits
from admin_api.actor import SYSTEM, Actor
from gateway.errors import Conflict, InvalidRequest, NotFound
from gateway.models import (
    ApiKey,
    AuditEntry,
    Membership,
    Organization,
    SpendLimit,
    SpendLimitIncreaseRequest,
    User,
)
from tests.admin_api.door import Door, admin_key
from tests.people import Cast, person

PATH = "/v1/organizations/spend_limit_increase_requests"


@pytest.fixture
def client(door: Door, committed_people: Cast) -> anthropic.Anthropic:
    return door.sdk(admin_key(committed_people.acme)[1])


def asked(organization: Organization, user: User, period: str = "monthly") -> SpendLimitIncreaseRequest:
    membership = Membership.objects.get(organization=organization, user=user)
    return spend_limit_increase_requests.create(actor=SYSTEM, membership=membership, period=period)


def limit_of(organization: Organization, **scope: Any) -> SpendLimit:
    given = {"period": "monthly", "amount": 100} | scope
    return spend_limits.set_amount(actor=SYSTEM, organization=organization, **given)


def actor_of(user: User) -> dict[str, Any]:
    return {
        "type": "user_actor",
        "user_id": user.id,
        "name": user.name,
        "email_address": user.email,
        "deleted": False,
    }


def message(status: type[anthropic.APIStatusError], call: Callable[[], object]) -> str:
    with pytest.raises(status) as refused:
        call()
    return str(refused.value.body["error"]["message"])  # type: ignore[index]


# --- Ask ---


def test_a_request_is_made_on_behalf_of_a_member(client: anthropic.Anthropic, committed_people: Cast) -> None:
    dev = committed_people.dev
    body = {"user_id": dev.id, "period": "weekly", "reason": "A large migration"}

    made: Any = client.post(PATH, body=body, cast_to=object)

    row = SpendLimitIncreaseRequest.objects.get()
    assert made == {
        "id": row.id,
        "type": "spend_limit_increase_request",
        "actor": actor_of(dev),
        "period": "weekly",
        "reason": "A large migration",
        "status": "pending",
        "created_at": made["created_at"],
        "resolved_at": None,
        "resolved_by": None,
        "spend_summary": None,
    }
    assert row.id.startswith("slir_01")
    found = client.organization.spend_limits.increase_requests.retrieve(row.id)
    assert found.to_dict(mode="json") == made
    assert found.created_at == row.created_at
    line = AuditEntry.objects.get(action="spend_limit_increase_request.created")
    assert line.details == {"user_id": dev.id, "period": "weekly", "new": "pending"}


def test_a_member_has_one_pending_request_for_each_period(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    def ask(**body: str) -> Any:
        return client.post(PATH, body={"user_id": committed_people.dev.id} | body, cast_to=object)

    first = ask()
    words = message(anthropic.ConflictError, lambda: ask(period="monthly"))
    ask(period="daily")
    client.organization.spend_limits.increase_requests.deny(first["id"])
    again = ask()

    assert words == "user_id: a monthly request of this member is pending already"
    assert (first["period"], first["reason"], again["status"]) == ("monthly", None, "pending")


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({}, "user_id: Field required"),
        ({"user_id": 5}, "user_id: Input should be a valid string"),
        ({"user_id": "u" * 10_000}, "user_id: String should have at most 100"),
        ({"user_id": "u", "period": "yearly"}, 'period: "yearly" is not a valid value'),
        ({"user_id": "u", "reason": "r" * 10_000}, "reason: String should have at most 1000"),
        ({"user_id": "u", "amount": "5"}, "amount: Extra inputs"),
    ],
)
def test_a_request_that_is_not_right_is_refused_by_name(
    client: anthropic.Anthropic, body: dict[str, Any], words: str
) -> None:
    said = message(anthropic.BadRequestError, lambda: client.post(PATH, body=body, cast_to=object))

    assert said.startswith(words)


# --- List ---


def test_pending_requests_say_what_is_spent_of_which_limit(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    acme, dev, uma = committed_people.acme, committed_people.dev, committed_people.uma
    everybodys, of_dev = limit_of(acme), limit_of(acme, user=dev, period="daily", amount=7)
    daily, monthly, of_uma = asked(acme, dev, "daily"), asked(acme, dev), asked(acme, uma, "weekly")
    requests = client.organization.spend_limits.increase_requests

    found = {request.id: request.spend_summary for request in requests.list()}

    assert list(found) == [of_uma.id, monthly.id, daily.id]
    assert found[of_uma.id] is None
    assert found[monthly.id].spend_limit_id == everybodys.id  # type: ignore[union-attr]
    assert found[daily.id].to_dict() == {  # type: ignore[union-attr]
        "actor": actor_of(dev),
        "scope": {"type": "user", "user_id": dev.id},
        "source": {"type": "user", "user_id": dev.id},
        "spend_limit_id": of_dev.id,
        "amount": "7",
        "currency": "USD",
        "period": "daily",
        "period_to_date_spend": "0",
    }
    beta = client.beta.organization.spend_limits.increase_requests
    assert beta.list().to_dict() == requests.list().to_dict()
    assert beta.retrieve(daily.id).to_dict() == requests.retrieve(daily.id).to_dict()


def test_the_list_is_filtered_and_walked(client: anthropic.Anthropic, committed_people: Cast) -> None:
    acme, dev, uma = committed_people.acme, committed_people.dev, committed_people.uma
    rows = [asked(acme, user, period) for user in (dev, uma) for period in ("daily", "weekly", "monthly")]
    requests = client.organization.spend_limits.increase_requests
    requests.deny(rows[0].id)
    requests.approve(rows[1].id, amount="1")

    def found(**filters: Any) -> list[int]:
        ids = [row.id for row in rows]
        return [ids.index(request.id) for request in requests.list(**filters)]

    assert found(limit=2) == [5, 4, 3, 2, 1, 0]
    assert found(status=["denied"]) == [0]
    assert found(status=["denied", "approved"]) == [1, 0]
    assert found(actor_ids=[dev.id], status=["pending"]) == [2]
    assert found(actor_ids=[dev.id, uma.id], limit=4) == [5, 4, 3, 2, 1, 0]
    assert found(actor_ids=[committed_people.mallory.id]) == []


def test_who_has_left_asks_for_nothing(client: anthropic.Anthropic, committed_people: Cast) -> None:
    row = asked(committed_people.acme, committed_people.dev)
    requests = client.organization.spend_limits.increase_requests
    client.organization.users.remove(committed_people.dev.id)

    assert requests.list().data == []
    calls: list[Callable[[], object]] = [
        lambda: requests.retrieve(row.id),
        lambda: requests.approve(row.id, amount="1"),
        lambda: requests.deny(row.id),
    ]
    for call in calls:
        assert message(anthropic.NotFoundError, call) == "Spend limit increase request not found."


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=1001",
        "page=page_x",
        "status[]=open",
        "actor_ids[]=a%00b",
        "&".join(["actor_ids[]=u"] * 101),
    ],
)
def test_a_query_that_is_not_right_is_refused_by_name(client: anthropic.Anthropic, query: str) -> None:
    said = message(anthropic.BadRequestError, lambda: client.get(f"{PATH}?{query}", cast_to=object))

    assert said.startswith(query.partition("=")[0].removesuffix("[]"))


# --- Decide ---


def test_an_approved_member_has_a_limit_of_their_own(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    acme, dev = committed_people.acme, committed_people.dev
    limit_of(acme)
    row = asked(acme, dev)
    requests = client.organization.spend_limits.increase_requests

    approved = requests.approve(row.id, amount="75000", suppress_notification=True)

    limit, key = SpendLimit.objects.get(user=dev), ApiKey.objects.get()
    assert (limit.period, limit.amount) == ("monthly", 75000)
    assert approved.resolved_at is not None and approved.resolved_at > approved.created_at
    assert approved.to_dict() == {
        "id": row.id,
        "type": "spend_limit_increase_request",
        "actor": actor_of(dev),
        "period": "monthly",
        "reason": None,
        "status": "approved",
        "created_at": approved.created_at,
        "resolved_at": approved.resolved_at,
        "resolved_by": {"type": "scoped_api_key_actor", "scoped_api_key_id": key.id},
        "spend_limit": client.beta.organization.spend_limits.retrieve(limit.id).to_dict(),
        "spend_summary": client.organization.spend_limits.effective.list(user_ids=[dev.id]).data[0].to_dict(),
    }
    decided = requests.retrieve(row.id)
    assert (decided.status, decided.spend_summary) == ("approved", None)
    line = AuditEntry.objects.get(action="spend_limit_increase_request.approved")
    assert line.details == {
        "user_id": dev.id,
        "period": "monthly",
        "limit_period": "monthly",
        "spend_limit_id": limit.id,
        "old": None,
        "new": "75000",
    }


def test_approving_may_change_a_limit_of_another_period(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    acme, dev = committed_people.acme, committed_people.dev
    weekly, row = limit_of(acme, user=dev, period="weekly", amount=5), asked(acme, dev)

    approve = client.beta.organization.spend_limits.increase_requests.approve
    approved = approve(row.id, amount="0", period="weekly")

    assert approved.spend_limit is not None and approved.spend_summary is not None
    assert (approved.period, approved.spend_limit.period) == ("monthly", "weekly")
    assert (approved.spend_limit.id, approved.spend_limit.amount) == (weekly.id, "0")
    assert (approved.spend_summary.period, approved.spend_summary.amount) == ("weekly", "0")
    line = AuditEntry.objects.get(action="spend_limit_increase_request.approved")
    assert (line.details["old"], line.details["new"]) == ("5", "0")


def test_what_is_denied_changes_no_limit(client: anthropic.Anthropic, committed_people: Cast) -> None:
    row = asked(committed_people.acme, committed_people.dev)
    requests = client.organization.spend_limits.increase_requests

    denied = requests.deny(row.id)
    again = client.beta.organization.spend_limits.increase_requests.deny(row.id, suppress_notification=True)

    assert (denied.status, denied.spend_summary) == ("denied", None)
    assert again.to_dict() == denied.to_dict()
    assert not SpendLimit.objects.exists()
    line = AuditEntry.objects.get(action="spend_limit_increase_request.denied")
    assert line.details == {
        "user_id": committed_people.dev.id,
        "period": "monthly",
        "old": "pending",
        "new": "denied",
    }


def test_what_is_decided_stays_decided(client: anthropic.Anthropic, committed_people: Cast) -> None:
    acme = committed_people.acme
    yes, no = asked(acme, committed_people.dev), asked(acme, committed_people.uma)
    requests = client.organization.spend_limits.increase_requests
    requests.approve(yes.id, amount="5")
    requests.deny(no.id)

    again = message(anthropic.ConflictError, lambda: requests.approve(yes.id, amount="9"))
    after = message(anthropic.ConflictError, lambda: requests.approve(no.id, amount="9"))
    too_late = message(anthropic.BadRequestError, lambda: requests.deny(yes.id))

    assert again == "This request has been approved already."
    assert after == "This request has been denied already."
    assert too_late == "This request has been approved already and cannot be denied."
    assert [limit.amount for limit in SpendLimit.objects.all()] == [5]


def test_a_request_is_decided_once_however_many_try(committed_people: Cast) -> None:
    row = asked(committed_people.acme, committed_people.dev)
    outcomes: list[str] = []

    def decide(approving: bool) -> None:
        try:
            if approving:
                spend_limit_increase_requests.approve(actor=SYSTEM, request=row, amount=5)
            else:
                outcomes.append(spend_limit_increase_requests.deny(actor=SYSTEM, request=row).status)
        except (Conflict, InvalidRequest) as refused:
            outcomes.append(type(refused).__name__)
        else:
            outcomes.extend(["approved"] if approving else [])
        finally:
            connection.close()

    threads = [threading.Thread(target=decide, args=(number % 2 == 0,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    row.refresh_from_db()
    if row.status == "approved":
        assert sorted(outcomes) == ["Conflict"] * 3 + ["InvalidRequest"] * 4 + ["approved"]
    else:
        assert sorted(outcomes) == ["Conflict"] * 4 + ["denied"] * 4
    lines = AuditEntry.objects.filter(target_id=row.id).exclude(action__endswith="created")
    assert [line.action for line in lines] == [f"spend_limit_increase_request.{row.status}"]


@pytest.mark.parametrize(
    ("verb", "body", "words"),
    [
        ("approve", {}, "amount: Field required"),
        ("approve", {"amount": None}, "amount: Input should not be null"),
        ("approve", {"amount": "-1"}, "amount: Input should be a string of 1 to 15 digits"),
        ("approve", {"amount": 5}, "amount: Input should be a string of 1 to 15 digits"),
        ("approve", {"amount": "5", "period": "yearly"}, 'period: "yearly" is not a valid value'),
        ("approve", {"amount": "5", "suppress_notification": "x"}, "suppress_notification: Input should be"),
        ("deny", {"amount": "5"}, "amount: Extra inputs"),
        ("deny", {"suppress_notification": None}, "suppress_notification: Input should not be null"),
    ],
)
def test_a_decision_that_is_not_right_is_refused_by_name(
    client: anthropic.Anthropic, committed_people: Cast, verb: str, body: dict[str, Any], words: str
) -> None:
    row = asked(committed_people.acme, committed_people.dev)

    path = f"{PATH}/{row.id}/{verb}"
    said = message(anthropic.BadRequestError, lambda: client.post(path, body=body, cast_to=object))

    assert said.startswith(words)
    row.refresh_from_db()
    assert row.status == "pending"


def test_people_who_decided_are_named_as_long_as_they_are_known(people: Cast) -> None:
    ways = {"user": Actor.user(people.ada), "gone": Actor("user", "user_01gone"), "operators": SYSTEM}
    for actor, user in zip(ways.values(), (people.dev, people.uma, people.bill), strict=True):
        spend_limit_increase_requests.deny(actor=actor, request=asked(people.acme, user))

    answer = Client().get(PATH, headers={"x-api-key": admin_key(people.acme)[1]})

    shown = {request["actor"]["name"]: request["resolved_by"] for request in answer.json()["data"]}
    gone = {"user_id": "user_01gone", "name": None, "email_address": None, "deleted": True}
    assert shown == {"Dev": actor_of(people.ada), "Uma": {"type": "user_actor"} | gone, "Bill": None}


# --- Isolation ---


def test_requests_of_another_organization_do_not_exist(
    client: anthropic.Anthropic, door: Door, committed_people: Cast
) -> None:
    umbrella = committed_people.umbrella
    theirs = asked(umbrella, committed_people.mallory)
    asked(umbrella, committed_people.mallory, "daily")
    requests = client.organization.spend_limits.increase_requests
    calls: list[Callable[[str], object]] = [
        lambda id: requests.retrieve(id),
        lambda id: requests.approve(id, amount="1"),
        lambda id: requests.deny(id),
    ]

    assert requests.list().data == []
    for id in (theirs.id, "slir_01nothing", "slir\x00"):
        for call in calls:
            words = message(anthropic.NotFoundError, lambda call=call, id=id: call(id))  # type: ignore[misc]
            assert words == "Spend limit increase request not found."
    for id in (committed_people.mallory.id, "user_01nothing"):
        body = {"user_id": id}
        words = message(
            anthropic.NotFoundError,
            lambda body=body: client.post(PATH, body=body, cast_to=object),  # type: ignore[misc]
        )
        assert words == "User not found."
    page = door.sdk(admin_key(umbrella)[1]).organization.spend_limits.increase_requests.list(limit=1)
    words = message(anthropic.BadRequestError, lambda: requests.list(page=page.next_page))
    assert words == "page: not a page of this list"
    theirs.refresh_from_db()
    assert theirs.status == "pending"


def test_who_left_a_moment_ago_can_ask_for_nothing(people: Cast) -> None:
    row = asked(people.acme, people.dev)
    membership = Membership.objects.get(user=people.dev)
    held = Membership.objects.get(user=people.dev)
    memberships.remove(actor=SYSTEM, membership=membership)

    with pytest.raises(NotFound, match="User not found"):
        spend_limit_increase_requests.create(actor=SYSTEM, membership=held, period="daily")
    with pytest.raises(NotFound, match="User not found"):
        spend_limit_increase_requests.approve(actor=SYSTEM, request=row, amount=1)


def test_a_page_costs_five_queries_however_long_it_is(
    people: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, secret = admin_key(people.acme)
    limit_of(people.acme)
    users = [person(f"P{number}", people.acme, Membership.Role.USER) for number in range(10)]
    rows = [asked(people.acme, user, period) for user in users for period in ("daily", "monthly")]
    for row in rows[::3]:
        spend_limit_increase_requests.deny(actor=Actor.user(people.ada), request=row)

    with django_assert_num_queries(5):  # the key with its organization, the page, limits, spend, who decided
        answer = Client().get(f"{PATH}?limit=20", headers={"x-api-key": secret})

    found = answer.json()["data"]
    assert len(found) == 20
    assert {one["status"] for one in found if one["spend_summary"] is not None} == {"pending"}
    assert {one["resolved_by"]["name"] for one in found if one["status"] == "denied"} == {"Ada"}
