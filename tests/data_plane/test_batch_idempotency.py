"""`Idempotency-Key` on a new batch: whoever repeats the call gets the same answer, and there is one batch."""

from __future__ import annotations

import pytest
from anthropic import Anthropic

from tests.data_plane.house import House, Tenant
from tests.data_plane.stored_batches import batches_of, limit_queue, orphans
from tests.data_plane.test_new_batches import BATCHES, client, post, requests, tenant

__all__ = ["client", "tenant"]


def keyed(key: str) -> list[tuple[str, str]]:
    return [("idempotency-key", key)]


def test_the_same_call_is_answered_again_and_made_once(house: House, tenant: Tenant) -> None:
    first = post(house, tenant, {"requests": requests()}, headers=keyed("one"))
    again = post(house, tenant, {"requests": requests()}, headers=keyed("one"))
    other = post(house, tenant, {"requests": requests()}, headers=keyed("two"))

    assert (first.status, again.status) == (200, 200)
    assert again.body == first.body
    assert (first.header("idempotent-replayed"), again.header("idempotent-replayed")) == (None, "true")
    assert [row["id"] for row in batches_of(house, tenant.id)] == [first.json["id"], other.json["id"]]


def test_the_sdk_may_name_a_key(client: Anthropic, house: House, tenant: Tenant) -> None:
    made = {
        client.messages.batches.create(requests=requests(), extra_headers={"Idempotency-Key": "mine"}).id
        for _ in range(3)
    }

    assert {row["id"] for row in batches_of(house, tenant.id)} == made
    assert len(made) == 1


def test_another_body_under_the_same_key_is_refused(house: House, tenant: Tenant) -> None:
    post(house, tenant, {"requests": requests(2)}, headers=keyed("one"))
    answer = post(house, tenant, {"requests": requests(3)}, headers=keyed("one"))

    assert (answer.status, answer.json["error"]["message"]) == (
        400,
        "idempotency-key: was used before with another body",
    )
    assert len(batches_of(house, tenant.id)) == 1


def test_a_refused_call_leaves_its_key_free(house: House, tenant: Tenant) -> None:
    limit_queue(house, tenant, 1)
    refused = post(house, tenant, {"requests": requests(2)}, headers=keyed("one"))
    limit_queue(house, tenant, 5)
    house.settle_in()

    assert (refused.status, post(house, tenant, {"requests": requests(2)}, headers=keyed("one")).status) == (
        429,
        200,
    )


def test_a_key_belongs_to_its_organization_and_workspace(house: House, tenant: Tenant) -> None:
    stranger = house.tenant()
    other = house.office.wish("workspace", organization=tenant.name, name="Other")["id"]

    answers = [
        post(house, tenant, {"requests": requests()}, headers=keyed("one")),
        post(house, stranger, {"requests": requests()}, headers=keyed("one")),
        post(
            house,
            tenant,
            {"requests": requests()},
            headers=[*keyed("one"), ("anthropic-workspace-id", other)],
        ),
    ]

    assert [answer.status for answer in answers] == [200] * 3
    assert len({answer.json["id"] for answer in answers}) == 3


def test_concurrent_twins_make_one_batch(house: House, tenant: Tenant) -> None:
    raw = house.message({"requests": requests(500)}, path=BATCHES, key=tenant.key, headers=keyed("twins"))

    answers = house.ask_all([raw] * 10, at_once=10)

    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert len(batches_of(house, tenant.id)) == 1
    assert orphans(house) == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "h\u00e4", "a\tb"])
def test_keys_are_bounded(house: House, tenant: Tenant, key: str) -> None:
    answer = post(house, tenant, {"requests": requests()}, headers=keyed(key))

    assert (answer.status, answer.json["error"]["message"]) == (
        400,
        "idempotency-key: must have 1 to 255 printable ASCII characters",
    )


def test_a_key_may_not_come_twice(house: House, tenant: Tenant) -> None:
    answer = post(house, tenant, {"requests": requests()}, headers=[*keyed("a"), *keyed("b")])

    assert (answer.status, answer.json["error"]["message"]) == (400, "idempotency-key: header sent twice")
