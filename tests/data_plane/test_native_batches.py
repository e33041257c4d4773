"""Batches that their provider carries whole: what it is sent, what comes home, that nothing is lost or done twice."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from anthropic import Anthropic

from gateway.batch_states import ItemState
from gateway.batches import native, native_courier, native_rows
from tests.batch_provider import BatchProvider, Result, TheirBatch, streamed_lines, succeeded
from tests.data_plane.house import House, body
from tests.data_plane.native_batches import NATIVE, NativeBatches, furnish, process
from tests.data_plane.stored_batches import items_of
from tests.upstream import Close, Hang, Upstream, error, message, reply

KEY, OTHER_KEY = "sk-native-0123456789abcdef", "sk-other-0123456789abcdef"
HOUR = 3_600.0


@pytest.fixture(scope="module", autouse=True)
def catalog(house: House) -> None:
    furnish(house, KEY, OTHER_KEY)


@pytest.fixture(autouse=True)
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "STEP_SECONDS", 0.02)
    monkeypatch.setattr(native_courier, "READ_AGAIN_SECONDS", 0.01)


@pytest.fixture
def provider(upstream: Upstream) -> BatchProvider:
    return BatchProvider(upstream)


@pytest.fixture
def batches(house: House, provider: BatchProvider) -> Iterator[NativeBatches]:
    mine = NativeBatches(house, house.tenant(), provider)
    yield mine
    mine.forget()  # whatever is left of them is nothing for the next test's runner


def accepted(row: dict[str, Any]) -> bool:
    return bool(row["upstream_id"])


def emulated(row: dict[str, Any]) -> bool:
    return bool(row["passage"] == "emulated")


def states(batches: NativeBatches, batch_id: str) -> list[ItemState]:
    return [ItemState(row["state"]) for row in items_of(batches.house, batch_id)]


def counts(row: dict[str, Any]) -> tuple[int, int, int, int]:
    return row["succeeded"], row["errored"], row["canceled"], row["expired"]


# --- Going out and coming home ---


def test_a_batch_is_carried_whole_and_read_as_any_other(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    provider.finish()
    batch_id = batches.create(body(NATIVE, "first"), body("routed-native-latest", "second", top_k=3))

    batches.carry(batch_id)

    client = Anthropic(base_url=batches.house.base_url, api_key=batches.tenant.key)
    batch = client.messages.batches.retrieve(batch_id)
    assert (batch.processing_status, batch.request_counts.succeeded) == ("ended", 2)
    assert batch.results_url == f"{batches.house.base_url}/v1/messages/batches/{batch_id}/results"
    found = {one.custom_id: one.result for one in client.messages.batches.results(batch_id)}
    texts = {name: result.message.content[0].text for name, result in found.items()}  # type: ignore[union-attr]
    assert texts == {"item-0": "answer to Hello first", "item-1": "answer to Hello second"}
    assert {result.message.usage.service_tier for result in found.values()} == {"batch"}  # type: ignore[union-attr]


def test_the_provider_is_sent_each_item_as_it_came_but_for_the_model(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    said = b'"messages":[{"role":"user","content":"\\u00fc \xc3\xbc"}], "new": {"b":1, "a":2}'
    odd = b'{"max_tokens": 5,  "model":"routed-native", %b}' % said
    batch_id = batches.create(raw=b'{"requests": [ {"custom_id": "mine", "params": %b} ]}' % odd)

    batches.carry(batch_id, until=accepted)

    (sent,) = provider.sent()
    as_sent = odd.replace(b'"routed-native"', b'"upstream-model"')
    assert sent.body == b'{"requests":[{"custom_id":"%b-0","params":%b}]}' % (batch_id.encode(), as_sent)
    assert sent.header("content-length") == str(len(sent.body))
    assert sent.header("x-api-key") in (KEY, OTHER_KEY)
    assert (sent.header("anthropic-version"), sent.header("anthropic-beta")) == ("2023-06-01", provider.name)
    assert (sent.header("idempotency-key"), sent.header("content-type")) == (batch_id, "application/json")
    assert states(batches, batch_id) == [ItemState.FORWARDED]


def test_each_item_that_succeeded_is_billed_once_as_a_batch(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    provider.finish()
    batch_id = batches.create(*[body(NATIVE, f"number {n}") for n in range(7)])
    batches.carry(batch_id)
    batches.bring_home_again(batch_id)

    batches.carry(batch_id)

    events = list(batches.events().values())
    assert len(batches.told()) >= 14  # again under the same ids, which the ledger counts once
    assert len(events) == 7
    assert {(one.model, one.upstream_model, one.provider) for one in events} == {
        (NATIVE, "upstream-model", "native")
    }
    assert {(one.service_tier, one.usage_source, one.status) for one in events} == {
        ("batch", "reported", 200)
    }
    assert {(one.usage.input_tokens, one.usage.output_tokens) for one in events} == {(25, 12)}
    assert len({one.request_id for one in events}) == 7
    assert all(one.price_version for one in events)


def test_every_kind_of_result_is_told_in_our_words(batches: NativeBatches, provider: BatchProvider) -> None:
    def failed(kind: str, text: str) -> Result:
        return {"type": "errored", "error": error(kind, text)}

    broken = {"type": "succeeded", "message": {"type": "message"}}
    told: list[Result] = [
        {"type": "succeeded", "message": message("line\u2028end")},
        failed("invalid_request_error", f"max_tokens: no, {KEY}"),
        failed("authentication_error", "this key is not valid"),
        {"type": "canceled"},
        {"type": "expired"},
        {"type": "errored", "error": "so it is"},
        broken,
        {"type": "new"},
    ]
    provider.result_of = lambda request: told[int(request["custom_id"].rpartition("-")[2])]
    provider.finish()
    batch_id = batches.create(*[body(NATIVE)] * len(told))

    row = batches.carry(batch_id)

    assert counts(row) == (1, 5, 1, 1)
    results = [result for _, result in sorted(batches.results(batch_id).items())]
    assert [one["type"] for one in results] == ["succeeded", "errored", "errored", "canceled", "expired"] + [
        "errored"
    ] * 3
    errors = [one["error"] for one in results if one["type"] == "errored"]
    assert [one["error"]["type"] for one in errors] == ["invalid_request_error"] + ["api_error"] * 4
    assert errors[0]["error"]["message"] == (
        "max_tokens: no, [redacted]" if batches.key_of(batch_id) == KEY else f"max_tokens: no, {KEY}"
    )
    assert errors[1]["error"]["message"] == "The provider refused the gateway's own credentials."
    assert len({one["request_id"] for one in errors}) == 5
    assert all(one["request_id"].startswith("req_01") for one in errors)
    assert results[0]["message"]["content"][0]["text"] == "line\u2028end"
    assert all("\u2028".encode() not in row["result"] for row in items_of(batches.house, batch_id))
    assert len(batches.events()) == 1


def test_lines_that_are_missing_foreign_twice_or_no_json_spoil_no_other(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    def lines_of(lines: list[bytes]) -> list[bytes]:
        foreign = json.dumps({"custom_id": "item-3", "result": {"type": "canceled"}}).encode()
        again = lines[0].replace(b"answer to", b"another answer to")
        return [foreign, b"{", b"", b"\xff", lines[0], again, *lines[2:]]

    provider.lines_of = lines_of
    provider.finish()
    batch_id = batches.create(*[body(NATIVE, f"{n}") for n in range(4)])

    row = batches.carry(batch_id)

    assert counts(row) == (3, 1, 0, 0)
    results = batches.results(batch_id)
    assert (
        results["item-2"]["error"]["error"]["message"] == "The provider brought no result for this request."
    )
    assert results["item-3"]["message"]["content"][0]["text"] == "answer to Hello 3"
    assert len(provider.received("GET", f"/{row['upstream_id']}/results")) == 1
    assert len(batches.events()) == 3


def test_results_that_are_fewer_than_the_provider_says_are_asked_for_again(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    provider.results.append(streamed_lines([]))
    provider.finish()
    batch_id = batches.create()

    row = batches.carry(batch_id)

    assert counts(row) == (2, 0, 0, 0)
    assert len(provider.received("GET", f"/{row['upstream_id']}/results")) == 2


def test_a_download_that_breaks_off_goes_on_where_it_was(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    batch_id = batches.create(*[body(NATIVE, f"{n}") for n in range(500)])
    batches.carry(batch_id, until=accepted)
    provider.finish()
    (theirs,) = provider.batches.values()
    provider.results += [streamed_lines(lines_to(theirs)[:450], whole=False)]

    broken_off = batches.look(batch_id)
    row = batches.carry(batch_id)

    assert (broken_off["status"], 0 < broken_off["succeeded"] < 500) == ("in_progress", True)
    assert (row["status"], row["succeeded"], len(batches.events())) == ("ended", 500, 500)


def lines_to(theirs: TheirBatch) -> list[bytes]:
    return [
        json.dumps({"custom_id": one["custom_id"], "result": succeeded(one)}).encode()
        for one in theirs.requests
    ]


def test_what_our_own_door_refuses_has_its_result_at_once_and_goes_nowhere(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    twice = b'{"model": "routed-native", "max_tokens": 1, "messages": [], "max_tokens": 2}'
    good = json.dumps(body(NATIVE)).encode()
    batch_id = batches.create(
        raw=b'{"requests": [{"custom_id": "a", "params": %b}, {"custom_id": "b", "params": %b}]}'
        % (twice, good)
    )

    row = batches.carry(batch_id, until=accepted)

    (sent,) = provider.sent()
    assert [one["custom_id"] for one in sent.json["requests"]] == [f"{batch_id}-1"]
    assert (counts(row), states(batches, batch_id)) == (
        (0, 1, 0, 0),
        [ItemState.ERRORED, ItemState.FORWARDED],
    )
    assert batches.results(batch_id)["a"]["error"]["error"]["message"] == "max_tokens: repeated key"


def test_a_batch_without_any_item_that_could_be_sent_ends_at_once(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    batch_id = batches.create({"model": NATIVE, "max_tokens": "many", "messages": []})

    assert counts(batches.carry(batch_id)) == (0, 1, 0, 0)
    assert provider.sent() == []


# --- A provider that does not take it ---


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
def test_what_the_provider_refuses_is_emulated(
    batches: NativeBatches, provider: BatchProvider, status: int
) -> None:
    provider.creates.append(reply(status, error("some_error", "no batches here")))
    batch_id = batches.create()

    row = batches.carry(batch_id, until=emulated)

    assert (row["provider"], row["upstream_id"], row["forwarded_at"], row["lease"]) == ("", "", None, None)
    assert states(batches, batch_id) == [ItemState.PENDING] * 2
    assert len(provider.sent()) == 1


@pytest.mark.parametrize("status", [429, 503, 529])
def test_a_provider_that_is_busy_is_asked_again(
    batches: NativeBatches, provider: BatchProvider, status: int
) -> None:
    provider.creates.append(reply(status, error("rate_limit_error", "later"), ("retry-after", "17")))
    batch_id = batches.create()

    busy = batches.look(batch_id)
    row = batches.carry(batch_id, until=accepted)

    assert (busy["passage"], busy["upstream_id"], busy["forwarded_at"]) == ("native", "", None)
    assert 15 < (busy["next_look_at"] - busy["created_at"]).total_seconds() < 40
    assert (len(provider.sent()), len(provider.batches)) == (2, 1)
    assert row["upstream_id"] in provider.batches


def test_a_batch_that_was_taken_without_a_word_is_found_and_not_sent_again(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    provider.add([{}] * 3)
    provider.add([{}] * 2, age=HOUR)
    provider.deaf = 1
    batch_id = batches.create()

    unheard = batches.look(batch_id)
    row = batches.carry(batch_id, until=accepted)

    assert (unheard["upstream_id"], unheard["forwarded_at"] is None) == ("", False)
    assert len(provider.sent()) == 1
    assert row["upstream_id"] == list(provider.batches)[-1]
    assert states(batches, batch_id) == [ItemState.FORWARDED] * 2


def test_a_batch_that_never_arrived_is_sent_again_after_a_minute(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    provider.creates.append([Close()])
    batch_id = batches.create()
    batches.look(batch_id)

    soon = batches.look(batch_id)
    batches.age(batch_id, 61)
    row = batches.carry(batch_id, until=accepted)

    assert (soon["upstream_id"], soon["forwarded_at"] is None) == ("", False)
    assert (len(provider.sent()), len(provider.batches)) == (2, 1)
    assert row["upstream_id"] in provider.batches


def test_a_provider_that_fails_for_an_hour_is_asked_item_by_item(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    provider.creates.append(reply(500, error("api_error", "broken")))
    batch_id = batches.create()
    batches.look(batch_id)
    batches.age(batch_id, HOUR + 1)

    batches.carry(batch_id, until=emulated)

    assert (len(provider.sent()), states(batches, batch_id)) == (1, [ItemState.PENDING] * 2)


def test_of_two_batches_of_one_size_only_one_is_ever_unheard_of(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    provider.creates.append([Close()])
    first = batches.create()
    batches.look(first)
    second, larger = batches.create(), batches.create(*[body(NATIVE)] * 3)

    batches.carry(larger, until=accepted)
    waiting = batches.look(second)

    assert (waiting["forwarded_at"], waiting["upstream_id"]) == (None, "")


def test_results_that_are_somebody_elses_are_nobodys_here(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    provider.creates.append([Close()])
    batch_id = batches.create()
    batches.look(batch_id)
    provider.add(
        [{"custom_id": f"item-{n}", "params": {"messages": [{"content": "theirs"}]}} for n in range(2)]
    )
    provider.finish()

    batches.carry(batch_id, until=emulated)

    assert (states(batches, batch_id), batches.results(batch_id)) == ([ItemState.PENDING] * 2, {})
    assert batches.events() == {}


# --- A provider that has it ---


def test_the_longer_it_takes_the_less_often_the_provider_is_asked(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    batch_id = batches.create()
    batches.carry(batch_id, until=accepted)
    waits = []

    for age in (0, 200, 20_000):
        batches.age(batch_id, age)
        row = batches.look(batch_id)
        waits.append((row["next_look_at"] - batches.now()).total_seconds())

    assert [round(one, -1) for one in waits] == pytest.approx([5, 20, 60], abs=5)


def test_a_provider_that_does_not_answer_is_asked_again(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    provider.finish()
    batch_id = batches.create()
    provider.gets += [reply(500, b"<html>"), reply(429, error("rate_limit_error", "no")), [Close()]]

    row = batches.carry(batch_id)

    assert (counts(row), provider.gets) == ((2, 0, 0, 0), [])


def test_whichever_key_knows_the_batch_is_used(batches: NativeBatches, provider: BatchProvider) -> None:
    batch_id = batches.create()
    batches.carry(batch_id, until=accepted)
    (sent,) = provider.sent()
    provider.keys = {KEY, OTHER_KEY} - {str(sent.header("x-api-key"))}
    provider.finish()

    assert counts(batches.carry(batch_id)) == (2, 0, 0, 0)


def test_a_batch_that_its_provider_has_lost_is_emulated(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    batch_id = batches.create()
    batches.carry(batch_id, until=accepted)
    provider.batches.clear()

    young = batches.look(batch_id)
    batches.age(batch_id, 601)
    row = batches.carry(batch_id, until=emulated)

    assert (young["passage"], row["upstream_id"]) == ("native", "")
    assert states(batches, batch_id) == [ItemState.PENDING] * 2


# --- Ending early ---


def test_a_batch_that_is_cancelled_before_it_is_sent_is_never_sent(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    batch_id = batches.create()
    batches.cancel(batch_id)

    row = batches.carry(batch_id)

    assert (counts(row), provider.sent()) == ((0, 0, 2, 0), [])
    assert batches.results(batch_id) == {"item-0": {"type": "canceled"}, "item-1": {"type": "canceled"}}


def test_cancelling_reaches_the_provider_and_what_is_done_stays(
    batches: NativeBatches, provider: BatchProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in (native_rows, native_courier):
        monkeypatch.setattr(module, "CANCELING_SECONDS", 1.0)
    provider.result_of = lambda request: (
        succeeded(request) if request["custom_id"].endswith("-0") else {"type": "canceled"}
    )
    batch_id = batches.create(body(NATIVE), body(NATIVE), body(NATIVE))
    batches.carry(batch_id, until=accepted)
    batches.set(batch_id, next_look_at=batches.now_plus(60))
    batches.cancel(batch_id)

    began = time.monotonic()
    row = batches.carry(batch_id, nudge=False)

    assert time.monotonic() - began < 10
    assert (counts(row), provider.cancels()) == ((1, 0, 2, 0), 1)
    assert len(batches.events()) == 1


def test_a_batch_that_expired_before_it_was_sent_is_never_sent(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    batch_id = batches.create()
    batches.age(batch_id, 24 * HOUR + 1)

    row = batches.carry(batch_id)

    assert (counts(row), provider.sent()) == ((0, 0, 0, 2), [])


def test_a_provider_that_does_not_end_it_in_time_is_told_to_and_then_not_waited_for(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    batch_id = batches.create()
    batches.carry(batch_id, until=accepted)
    batches.age(batch_id, 24 * HOUR + 60)
    batches.look(batch_id)
    patient = provider.cancels()
    batches.age(batch_id, 600)
    provider.gets.append(reply(200, provider._told(next(iter(provider.batches.values())))))
    batches.look(batch_id)
    told = provider.cancels()
    next(iter(provider.batches.values())).canceled = False
    batches.age(batch_id, HOUR)

    row = batches.carry(batch_id)

    assert (patient, told) == (0, 1)
    assert (counts(row), batches.events()) == ((0, 0, 0, 2), {})


def test_a_batch_that_is_cancelled_while_nobody_knows_of_it_is_cancelled_where_it_is(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    provider.result_of = lambda request: {"type": "canceled"}
    provider.deaf = 1
    batch_id = batches.create()
    batches.look(batch_id)
    batches.cancel(batch_id)

    row = batches.carry(batch_id)

    assert (counts(row), provider.cancels(), len(provider.sent())) == ((0, 0, 2, 0), 1, 1)


def test_one_that_never_arrived_is_cancelled_without_being_sent_again(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    provider.creates.append([Close()])
    batch_id = batches.create()
    batches.look(batch_id)
    batches.cancel(batch_id)
    batches.age(batch_id, 61)

    row = batches.carry(batch_id)

    assert (counts(row), len(provider.sent())) == ((0, 0, 2, 0), 1)


def test_results_that_cannot_be_had_are_not_waited_for_for_ever(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    gone = reply(404, error("not_found_error", "removed"))
    provider.results += [gone, gone]
    batch_id = batches.create()
    batches.carry(batch_id, until=accepted)
    provider.finish()

    waiting = batches.look(batch_id)
    batches.age(batch_id, 25 * HOUR + 1)
    row = batches.carry(batch_id)

    assert (waiting["status"], counts(row)) == ("in_progress", (0, 2, 0, 0))
    assert batches.events() == {}


# --- Processes that die ---


def test_who_is_killed_while_sending_sends_it_once(batches: NativeBatches, provider: BatchProvider) -> None:
    provider.creates.append([Hang()])
    batch_id = batches.create()
    with process(batches.house) as doomed:
        (sent,) = batches.house.upstream.received(provider.name, 1, timeout=20)
        doomed.kill()
    provider.add(sent.json["requests"])  # it had come through
    provider.finish()

    row = batches.carry(batch_id)

    assert (counts(row), len(provider.sent())) == ((2, 0, 0, 0), 1)


def test_who_is_killed_while_bringing_home_leaves_the_rest_to_others(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    batch_id = batches.create(*[body(NATIVE, f"{n}") for n in range(600)])
    batches.carry(batch_id, until=accepted)
    (theirs,) = provider.batches.values()
    provider.results.append([*streamed_lines(lines_to(theirs)[:500], whole=False)[:-1], Hang()])
    provider.finish()
    batches.look_again(batch_id)
    with process(batches.house) as doomed:
        batches.wait(batch_id, lambda row: row["succeeded"] >= 400)
        doomed.kill()
    before = batches.row(batch_id)

    row = batches.carry(batch_id)

    assert (before["status"], before["lease"] is None) == ("in_progress", False)
    assert (counts(row), len(batches.events())) == ((600, 0, 0, 0), 600)
    assert len({event.request_id for event in batches.events().values()}) == 600


def test_a_runner_that_others_take_for_dead_stores_nothing(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    batch_id = batches.create()
    batches.carry(batch_id, until=accepted)

    stored = batches.store_as(runner=4_000_000_000, batch_id=batch_id)

    assert (stored["succeeded"], states(batches, batch_id)) == (0, [ItemState.FORWARDED] * 2)


def test_while_valkey_is_away_usage_waits_in_the_journal(
    batches: NativeBatches, provider: BatchProvider
) -> None:
    provider.finish()
    batch_id = batches.create()

    row = batches.carry(batch_id, REDIS_URL="redis://127.0.0.1:9/0")
    batches.carry(batch_id)  # the next process of this data folder, if no other one was quicker

    assert counts(row) == (2, 0, 0, 0)
    assert batches.billed(2, within=5)


def test_six_thousand_items_never_stand_in_memory(batches: NativeBatches, provider: BatchProvider) -> None:
    text = "a long question " * 150
    batch_id = batches.create(*[body(NATIVE, text) for _ in range(6_000)])
    provider.result_of = lambda request: {"type": "succeeded", "message": message(text)}
    provider.finish()
    with process(batches.house) as runner:
        batches.wait(batch_id, lambda row: row["status"] == "ended", within=120)
        grown = int(runner.communicate(timeout=30)[0].splitlines()[-1])

    (sent,) = provider.sent()
    assert len(sent.body) > 14_000_000
    assert counts(batches.row(batch_id)) == (6_000, 0, 0, 0)
    assert len(batches.events()) == 6_000
    assert grown < 30_000_000


def test_a_gateway_carries_the_batches_of_another_one(batches: NativeBatches, house: House) -> None:
    inner = house.tenant()
    house.office.wish(
        "provider", name="ourselves", base_url=house.base_url, api_key=inner.key, batches="native"
    )
    routes = [{"provider": "ourselves", "model": "claude-haiku-5-5"}]
    house.office.wish("model", name="routed-through-us", routes=routes, aliases=[])
    batch_id = batches.create(*[body("routed-through-us")] * 5, provider="ourselves")

    row = batches.carry(batch_id, engine=True)

    assert (counts(row), row["upstream_id"].startswith("msgbatch_")) == ((5, 0, 0, 0), True)
    assert row["upstream_id"] != batch_id
    assert {len(one["message"]["content"]) for one in batches.results(batch_id).values()} == {1}


def test_the_engine_hands_over_what_its_provider_takes(batches: NativeBatches, house: House) -> None:
    house.settle_in()
    batch_id = batches.create(decided=False)

    row = batches.carry(batch_id, engine=True, until=accepted)

    assert (row["passage"], row["provider"]) == ("native", "native")
    count = "SELECT count(*) AS n FROM message_batch_item WHERE batch_id = %s AND tries > 1"
    assert house.database.execute(count, [batch_id]).fetchall()[0]["n"] == 0
