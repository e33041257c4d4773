"""When keys were last used: noted with the events, and never set back."""

from __future__ import annotations

import datetime

import msgspec

from gateway.metering.event import UsageEvent
from tests.metering.ledger import Ledger, usage_event

MINUTE = datetime.timedelta(minutes=1)
NOON = datetime.datetime.now(datetime.UTC).replace(hour=12, minute=0, second=0, microsecond=0)


def test_a_key_s_row_tells_of_its_latest_request(ledger: Ledger) -> None:
    first, last = _from("203.0.113.7", NOON), _from("2001:db8::1", NOON + MINUTE)

    ledger.send([last, first])
    ledger.drain_all()

    assert _uses(ledger) == [("key_a", NOON + MINUTE, "sdk at 2001:db8::1", "2001:db8::1")]


def test_what_comes_late_or_again_sets_nothing_back(ledger: Ledger) -> None:
    now = _from("203.0.113.7", NOON)
    ledger.send([now])
    ledger.drain_all()

    ledger.send([_from("198.51.100.1", NOON - MINUTE), now])
    ledger.drain_all()

    assert [address for *_, address in _uses(ledger)] == ["203.0.113.7"]


def test_an_address_that_is_none_costs_nobody_the_event(ledger: Ledger) -> None:
    ledger.send([_from("x" * 90 + "\0", NOON), _from("\0", NOON, key="key_b")])
    drain = ledger.drain_all()

    assert (drain.recorded, drain.rejected) == (2, 0)
    assert [address for *_, address in _uses(ledger)] == ["x" * 45, "\ufffd"]


def _from(address: str, at: datetime.datetime, key: str = "key_a") -> UsageEvent:
    event = usage_event(at)
    return msgspec.structs.replace(
        event, api_key_id=key, address=address, user_agent=f"sdk at {address}"[:40]
    )


def _uses(ledger: Ledger) -> list[tuple[object, ...]]:
    return ledger.connection.execute(
        "SELECT api_key_id, at, user_agent, address FROM api_key_use ORDER BY api_key_id"
    ).fetchall()
