"""The drain, stepped in this process, between a real Valkey and a real PostgreSQL."""

from __future__ import annotations

import datetime
import time
import uuid
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import redis

from gateway.metering import event, stream
from gateway.metering.rows import LedgerRow
from gateway.models import UsageEvent as UsageEventModel
from gateway.token_usage import TokenUsage
from tests.metering.ledger import ACME, STREAM, Ledger, attempt_at, usage_event

NOON = datetime.datetime.now(datetime.UTC).replace(hour=12, minute=0, second=0, microsecond=250_000)
YESTERDAY_LATE = NOON.replace(hour=23, minute=59, second=59, microsecond=999_000) - datetime.timedelta(days=1)


def test_an_event_becomes_a_row_of_the_ledger_with_its_cost(ledger: Ledger) -> None:
    price = ledger.price(
        input=3, output=15, cache_read="0.3", cache_write_5m="3.75", cache_write_1h=6, web_search=10
    )
    sent = usage_event(
        YESTERDAY_LATE,
        usage=TokenUsage(1, 10, 100, 1000, 10_000),
        price_version=price,
        status=529,
        error_type="overloaded_error",
        user_agent="anthropic-sdk",
        session_id="s1",
        web_search_requests=2,
        inference_geo="us",
    )

    ledger.send([sent])
    ledger.drain_all()

    (row,) = UsageEventModel.objects.filter(organization_id=ACME).values()
    assert row == {
        "day": YESTERDAY_LATE.date(),
        "at": YESTERDAY_LATE,
        "attempt_id": sent.attempt_id,
        "request_id": "req_01",
        "organization_id": ACME,
        "workspace_id": "wrkspc_01",
        "api_key_id": "apikey_01",
        "endpoint": "messages",
        "attempt": 1,
        "model_requested": "claude-sonnet-4-5",
        "model": "claude-sonnet-4-5",
        "provider": "simulator",
        "upstream_model": "claude-sonnet-4-5",
        "stream": True,
        "status": 529,
        "error_type": "overloaded_error",
        "stop_reason": "",
        "usage_source": "reported",
        "input_tokens": 1,
        "cache_read_tokens": 10,
        "cache_write_5m_tokens": 100,
        "cache_write_1h_tokens": 1000,
        "output_tokens": 10_000,
        "web_search_requests": 2,
        "service_tier": "standard",
        "inference_geo": "us",
        "price_version": price,
        "cost": Decimal("0.176381"),
        "input_cost": Decimal("0.000003"),
        "cache_read_cost": Decimal("0.000003"),
        "cache_write_5m_cost": Decimal("0.000375"),
        "cache_write_1h_cost": Decimal("0.006"),
        "output_cost": Decimal("0.15"),
        "web_search_cost": Decimal("0.02"),
        "latency_ms": 1500,
        "time_to_first_token_ms": 300,
        "checked_ms": 2,
        "admitted_ms": 4,
        "user_agent": "anthropic-sdk",
        "session_id": "s1",
    }


def test_a_ledger_row_has_exactly_the_columns_of_its_table() -> None:
    columns = {field.column for field in UsageEventModel._meta.concrete_fields if field.column}

    assert set(LedgerRow.__struct_fields__) == columns


def test_events_delivered_twice_count_once_even_across_midnight(ledger: Ledger) -> None:
    events = [usage_event(NOON), usage_event(YESTERDAY_LATE)]

    ledger.send(events + events)
    ledger.drain_all()
    ledger.send(events)
    drain = ledger.drain_all()

    assert (drain.recorded, drain.rejected) == (0, 0)
    assert ledger.attempts() == {one.attempt_id for one in events}
    assert ledger.count() == 2
    assert ledger.drift() == []


def test_only_what_is_new_in_a_batch_raises_the_rollups(ledger: Ledger) -> None:
    old, new = usage_event(NOON), usage_event(NOON)
    ledger.send([old])
    ledger.drain_all()

    ledger.send([old, new])
    drain = ledger.drain_all()

    assert drain.recorded == 1
    assert ledger.attempts() == {old.attempt_id, new.attempt_id}
    assert ledger.drift() == []


def test_entries_of_a_dead_drain_are_taken_over(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "CLAIM_AFTER_MS", 50)
    ledger.drain().step()  # makes the group
    events = [usage_event() for _ in range(7)]
    ledger.send(events)
    taken = ledger.valkey.xreadgroup(stream.GROUP, "dead", {STREAM: ">"}, 4)
    assert taken
    time.sleep(0.06)

    ledger.drain_all()

    assert ledger.attempts() == {one.attempt_id for one in events}
    assert ledger.valkey.xpending(STREAM, stream.GROUP)["pending"] == 0


def test_an_emptied_valkey_gets_its_group_again(ledger: Ledger) -> None:
    drain = ledger.drain()
    drain.step()
    ledger.valkey.flushdb()
    sent = usage_event()
    ledger.send([sent])

    ledger.drain_all(drain)

    assert ledger.attempts() == {sent.attempt_id}


def test_an_acknowledged_stream_keeps_nothing(ledger: Ledger) -> None:
    ledger.send([usage_event() for _ in range(3)])

    ledger.drain_all()

    assert ledger.valkey.xinfo_stream(STREAM)["length"] == 0
    assert ledger.valkey.xpending(STREAM, stream.GROUP)["pending"] == 0


POISON: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{", "not a usage event"),
    "not UTF-8": (b'{"request_id":"\xff"}', "not a usage event"),
    "nested too deeply": (b"[" * 100_000, "not a usage event"),
    "a field is missing": (b"{}", "missing required field"),
    "a field has the wrong type": (
        event.encode(usage_event()).replace(b'"latency_ms":1500', b'"latency_ms":"x"'),
        "not a usage event",
    ),
    "an id without a time": (event.encode(usage_event(attempt_id=uuid.uuid4())), "carries no time"),
    "an id of another age": (
        event.encode(usage_event(attempt_id=attempt_at(NOON + datetime.timedelta(days=4000)))),
        "too far from today",
    ),
    "an impossible time": (
        event.encode(usage_event(attempt_id=uuid.UUID("ffffffff-ffff-7fff-bfff-ffffffffffff"))),
        "impossible time",
    ),
    "a negative count": (event.encode(usage_event(usage=TokenUsage(output_tokens=-1))), "negative"),
    "a giant count": (event.encode(usage_event(usage=TokenUsage(output_tokens=10**30))), "beyond reason"),
    "an unknown price": (event.encode(usage_event(price_version=2**40)), "price version"),
    "a price beyond any id": (event.encode(usage_event(price_version=10**30)), "price version"),
    "a status beyond its column": (event.encode(usage_event(status=70_000)), "out of range"),
    "a latency beyond its column": (event.encode(usage_event(latency_ms=2**40)), "out of range"),
    "a model beyond its column": (event.encode(usage_event(model="m" * 201)), "too long"),
    "a NUL where none can be": (event.encode(usage_event(api_key_id="a\0")), "cannot be stored"),
}


@pytest.mark.parametrize(("payload", "reason"), POISON.values(), ids=POISON.keys())
def test_poison_is_put_aside_with_its_reason_and_stops_nobody(
    ledger: Ledger, payload: bytes, reason: str
) -> None:
    good = [usage_event() for _ in range(9)]
    payloads = [event.encode(one) for one in good]
    ledger.send_payloads([*payloads[:5], payload, *payloads[5:]])

    drain = ledger.drain_all()

    (rejected,) = ledger.rejected()
    assert rejected[b"event"] == payload
    assert reason in rejected[b"reason"].decode()
    assert (drain.recorded, drain.rejected) == (9, 1)
    assert ledger.attempts() == {one.attempt_id for one in good}
    assert ledger.drift() == []


def test_many_poisoned_events_cost_no_good_one(ledger: Ledger) -> None:
    good = [usage_event() for _ in range(100)]
    bad = [usage_event(status=70_000) for _ in range(20)]
    ledger.send([*good[:30], *bad[:10], *good[30:60], *bad[10:], *good[60:]])

    drain = ledger.drain_all()

    assert (drain.recorded, drain.rejected, ledger.valkey.xlen(stream.rejected_stream(STREAM))) == (
        100,
        20,
        20,
    )
    assert ledger.attempts() == {one.attempt_id for one in good}


def test_an_entry_without_an_event_is_put_aside_as_it_is(ledger: Ledger) -> None:
    ledger.valkey.xadd(STREAM, {"other": "thing"})

    ledger.drain_all()

    (rejected,) = ledger.rejected()
    assert rejected[b"other"] == b"thing"


@pytest.mark.parametrize("text", ["x" * 5000, "a\0b", "\N{PILE OF POO}" * 300])
def test_no_text_of_a_caller_or_provider_costs_us_the_event(ledger: Ledger, text: str) -> None:
    names = (
        "model_requested",
        "user_agent",
        "session_id",
        "stop_reason",
        "error_type",
        "service_tier",
        "inference_geo",
    )
    sent = usage_event(None, **dict.fromkeys(names, text))
    ledger.send([sent])

    drain = ledger.drain_all()

    assert (drain.rejected, ledger.attempts()) == (0, {sent.attempt_id})
    assert ledger.drift() == []


def test_an_unpriced_event_costs_nothing_and_shows_that_it_has_no_price(ledger: Ledger) -> None:
    ledger.send([usage_event(price_version=None)])

    ledger.drain_all()

    assert UsageEventModel.objects.values_list("cost", "price_version").get() == (Decimal(0), None)


def test_a_price_made_later_is_found(ledger: Ledger) -> None:
    drain = ledger.drain()
    for _ in range(2):
        ledger.send([usage_event(price_version=ledger.price())])
        ledger.drain_all(drain)

    assert (drain.recorded, drain.rejected) == (2, 0)


def test_an_event_of_an_older_writer_still_counts(ledger: Ledger) -> None:
    """Unknown fields and absent optional ones: web processes and drains are not renewed in one moment."""
    fields: dict[str, Any] = msgspec.json.decode(event.encode(usage_event()))
    fields["of_a_newer_version"] = 1
    ledger.send_payloads([msgspec.json.encode(fields)])

    assert ledger.drain_all().rejected == 0
    assert ledger.count() == 1


def test_a_drain_that_leaves_is_forgotten_and_one_that_holds_entries_is_not(ledger: Ledger) -> None:
    drain = ledger.drain()
    drain.step()
    members = stream.UsageStreams(redis.Redis.from_url(ledger.redis_url, protocol=2))
    ledger.send([usage_event()])
    held = members.take(10)

    members.leave()
    assert members.member.encode() in _members(ledger)
    members.finish(held, {}, {})
    members.leave()
    assert members.member.encode() not in _members(ledger)


def test_a_drain_records_more_than_two_thousand_events_a_second(ledger: Ledger) -> None:
    price = ledger.price()
    events = [
        usage_event(price_version=price, api_key_id=f"k{n % 40}", model=f"m{n % 5}") for n in range(6000)
    ]
    ledger.send(events)
    began = time.perf_counter()
    ledger.drain_all()

    assert len(events) / (time.perf_counter() - began) > 2000
    assert ledger.count() == len(events)


def _members(ledger: Ledger) -> set[bytes]:
    return {member["name"] for member in ledger.valkey.xinfo_consumers(STREAM, stream.GROUP)}
