"""Who may come in: keys, their kinds, their end, and people who guess."""

from __future__ import annotations

import time

import pytest

from gateway.credentials import new_secret
from tests.data_plane import wire
from tests.data_plane.house import House, body
from tests.data_plane.wire import Answer


def test_a_key_is_taken_from_either_header_or_both_when_they_agree(house: House) -> None:
    ways = [
        [("x-api-key", house.key)],
        [("authorization", f"Bearer {house.key}")],
        [("authorization", f"bearer {house.key}")],
        [("x-api-key", house.key), ("authorization", f"Bearer {house.key}")],
    ]

    assert [house.post(body(), key="", headers=way).status for way in ways] == [200] * 4


MALFORMED = {
    "nothing": [],
    "an empty key": [("x-api-key", "")],
    "an empty bearer": [("authorization", "Bearer ")],
    "another scheme": [("authorization", "Basic c2stZ3ctYXBpMDE=")],
    "a word": [("x-api-key", "hunter2")],
    "a key of another house": [("x-api-key", "sk-ant-api03-" + "A" * 95)],
    "a key with a wrong checksum": [("x-api-key", new_secret("api")[:-1] + "!")],
    "a key in Latin-1": [("x-api-key", "sk-gw-api01-\xe9")],
    "a very long key": [("x-api-key", "sk-gw-api01-" + "A" * 30_000)],
}


@pytest.mark.parametrize("headers", MALFORMED.values(), ids=MALFORMED)
def test_a_missing_or_malformed_key_is_refused(house: House, headers: wire.Headers) -> None:
    answer = house.post(body(), key="", headers=headers)

    _assert_unauthenticated(answer)


def test_an_unknown_key_is_refused(house: House) -> None:
    _assert_unauthenticated(house.post(body(), key=new_secret("api"), source=house.stranger()))


def test_two_different_keys_at_once_are_refused(house: House) -> None:
    other = house.tenant().key

    answer = house.post(body(), headers=[("authorization", f"Bearer {other}")])

    _assert_unauthenticated(answer)


def test_the_same_header_twice_is_refused(house: House) -> None:
    answer = house.post(body(), headers=[("x-api-key", house.tenant().key)])

    assert answer.status in (400, 401)
    assert answer.json["request_id"] == answer.header("request-id")


def test_an_admin_key_cannot_call_models(house: House) -> None:
    admin = house.office.wish("api_key", organization="Acme", kind="admin")["secret"]

    answers = [
        house.post(body(), key=admin),
        house.post(
            {"model": "claude-scripted", "messages": body()["messages"]},
            path="/v1/messages/count_tokens",
            key=admin,
        ),
        house.get("/v1/models", key=admin),
    ]

    for answer in answers:
        assert answer.status in (401, 403)
        assert answer.json["error"]["type"] in ("authentication_error", "permission_error")
        assert answer.json["request_id"] == answer.header("request-id")


def test_an_operator_key_cannot_call_models_whatever_its_state(house: House) -> None:
    for key in (house.office.wish("operator_key")["secret"], new_secret("operator")):
        answer = house.post(body(), key=key)

        assert answer.status == 403
        assert answer.json["error"] == {
            "type": "permission_error",
            "message": "An operator key cannot call models; use an API key.",
        }


def test_a_bad_key_is_told_before_a_bad_body(house: House) -> None:
    _assert_unauthenticated(house.post(b"{", key=new_secret("api"), source=house.stranger()))


@pytest.mark.parametrize("status", ["inactive", "archived"])
def test_a_key_that_is_switched_off_is_refused_within_a_second(house: House, status: str) -> None:
    tenant = house.tenant()
    assert house.post(body(), key=tenant.key).status == 200

    house.office.wish("key_status", id=tenant.key_id, status=status)
    switched_off = time.monotonic()
    while (
        answer := house.post(body(), key=tenant.key)
    ).status == 200 and time.monotonic() - switched_off < 3:
        time.sleep(0.02)

    assert time.monotonic() - switched_off < 1.0
    _assert_unauthenticated(answer)


def test_a_key_that_is_switched_on_again_works_within_a_second(house: House) -> None:
    tenant = house.tenant()
    house.office.wish("key_status", id=tenant.key_id, status="inactive")
    _assert_unauthenticated(house.post(body(), key=tenant.key))

    house.office.wish("key_status", id=tenant.key_id, status="active")
    house.settle_in()

    assert house.post(body(), key=tenant.key).status == 200


def test_a_key_works_although_it_was_asked_for_before_it_existed(house: House) -> None:
    """An unknown key is remembered as unknown only until it is announced."""
    secret = new_secret("api")
    _assert_unauthenticated(house.post(body(), key=secret, source=house.stranger()))

    house.office.wish("adopt", organization="Acme", secret=secret)
    house.settle_in()

    assert house.post(body(), key=secret).status == 200


def test_a_key_expires_to_the_second(house: House) -> None:
    tenant = house.tenant()
    made = time.time()
    key = house.office.wish("api_key", organization=tenant.name, expires_in=1.5)["secret"]
    assert house.post(body(), key=key).status == 200

    while (answer := house.post(body(), key=key)).status == 200 and time.time() - made < 5:
        time.sleep(0.02)

    _assert_unauthenticated(answer)
    assert 1.4 < time.time() - made < 2.6


def test_a_workspace_of_another_organization_cannot_be_chosen(house: House) -> None:
    theirs = house.office.wish("workspace", organization=house.tenant().name, name="Secret")["id"]

    absent = house.post(body(), headers=[("anthropic-workspace-id", "wrkspc_01doesnotexist")])
    foreign = house.post(body(), headers=[("anthropic-workspace-id", theirs)])

    assert absent.status == foreign.status != 200
    assert absent.json["error"]["type"] == foreign.json["error"]["type"]
    assert absent.json["error"]["message"].replace("wrkspc_01doesnotexist", "X") == foreign.json["error"][
        "message"
    ].replace(theirs, "X")


def test_a_key_of_one_workspace_works_in_that_one_only(house: House) -> None:
    tenant = house.tenant()
    first, second = (
        house.office.wish("workspace", organization=tenant.name, name=name)["id"] for name in ("One", "Two")
    )
    key = house.office.wish("api_key", organization=tenant.name, workspace=first)["secret"]

    plain = house.post(body(), key=key)
    named = house.post(body(), key=key, headers=[("anthropic-workspace-id", first)])
    other = house.post(body(), key=key, headers=[("anthropic-workspace-id", second)])

    assert [plain.status, named.status] == [200, 200]
    assert other.status in (400, 403, 404)
    assert house.usage(plain.header("request-id")).workspace_id == first


def test_guessing_keys_is_throttled_per_address(house: House) -> None:
    guesser, neighbour = house.stranger(), house.stranger()

    answers = [house.post(body(), key=new_secret("api"), source=guesser) for _ in range(25)]
    known = house.post(body(), source=guesser)
    next_door = house.post(body(), key=new_secret("api"), source=neighbour)

    assert [answer.status for answer in answers] == [401] * 20 + [429] * 5
    assert answers[-1].json == {
        "type": "error",
        "error": {"type": "rate_limit_error", "message": answers[-1].json["error"]["message"]},
        "request_id": answers[-1].header("request-id"),
    }
    assert 0 < int(answers[-1].header("retry-after") or 0) <= 60
    assert (known.status, next_door.status) == (200, 401)


def test_the_same_unknown_key_again_and_again_is_throttled_too(house: House) -> None:
    guesser, key = house.stranger(), new_secret("api")

    answers = [house.post(body(), key=key, source=guesser) for _ in range(22)]

    assert answers[0].status == 401 and answers[-1].status == 429


def test_an_address_is_believed_only_from_a_trusted_proxy(house: House) -> None:
    guesser = house.stranger()

    for number in range(21):
        forwarded = [("x-forwarded-for", f"203.0.113.{number}")]
        answer = house.post(body(), key=new_secret("api"), source=guesser, headers=forwarded)

    assert answer.status == 429


def _assert_unauthenticated(answer: Answer) -> None:
    assert answer.status == 401, answer.body
    assert answer.json == {
        "type": "error",
        "error": {"type": "authentication_error", "message": answer.json["error"]["message"]},
        "request_id": answer.header("request-id"),
    }
