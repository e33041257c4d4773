"""The live tail of the logs: what it tells, to whom, and what it leaves out."""

from __future__ import annotations

import asyncio
import datetime
import json
import re
import uuid
from collections.abc import AsyncIterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from django.db import OperationalError
from django.utils import timezone

from admin_api.queries.log_entries import Entry
from admin_api.queries.log_sight import Sight
from admin_api.queries.log_tail import Newest, Taste
from admin_api.queries.request_log import Wanted
from dashboard.frame import onlookers
from dashboard.frame.onlookers import AGAIN, KEEP_ALIVE, NO_ROOM
from dashboard.logs.streams import LogStreams
from gateway import ending

ACME, UMBRELLA = uuid.uuid4(), uuid.uuid4()
EVERYTHING = Taste(Sight(ACME, None), Wanted(), None)


def entry(number: int, **changed: Any) -> Entry:
    told: dict[str, Any] = {
        "at": timezone.now() + datetime.timedelta(milliseconds=number),
        "id": f"attempt-{number:05}",
        "refused": False,
        "request_id": f"req_{number:05}",
        "stream": True,
        "status": 200,
        "attempt": 1,
        "cost": Decimal("0.01"),
        "workspace_id": "wrkspc_1",
        "api_key_id": "apikey_1",
        "latency_ms": 900,
        "time_to_first_token_ms": None,
        "price_version": 1,
    }
    blank = {name: 0 if "tokens" in name or "requests" in name else "" for name in Entry.__slots__}
    return Entry(**{**blank, **told, **changed})


class Desk:
    """The newest entries as a test sets them, and how often they were asked for."""

    def __init__(self, *entries: Entry) -> None:
        self.entries = list(entries)
        self.asked: list[list[uuid.UUID]] = []
        self.away = False

    async def read(self, organizations: Sequence[uuid.UUID]) -> Newest:
        self.asked.append(list(organizations))
        if self.away:
            raise OperationalError("away")
        return {one: self.entries[::-1] if one == ACME else [] for one in organizations}


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onlookers, "EVERY_SECONDS", 0.02)


async def soon(stream: AsyncIterator[bytes]) -> bytes:
    async with asyncio.timeout(5):
        return await anext(stream)


def told(event: bytes) -> tuple[list[str], int]:
    """The requests of an event, the newest last, and how many were dropped."""
    kind, _, said = event.partition(b"\n")
    assert kind == b"event: rows"
    data = json.loads(said.removeprefix(b"data: "))
    return re.findall(r'data-request="(\w+)"', "".join(data["rows"])), data["dropped"]


async def test_what_is_there_is_told_first_and_then_only_what_is_new() -> None:
    desk = Desk(entry(1), entry(2))
    stream = LogStreams(desk.read).stream(EVERYTHING, "user_1")
    assert await soon(stream) == AGAIN
    assert told(await soon(stream)) == (["req_00001", "req_00002"], 0)

    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    desk.entries.append(entry(3))

    assert told(await waiting) == (["req_00003"], 0)
    await stream.aclose()


async def test_what_comes_late_to_the_ledger_is_told_too() -> None:
    desk = Desk(entry(2))
    stream = LogStreams(desk.read).stream(EVERYTHING, "user_1")
    await soon(stream), await soon(stream)

    desk.entries.insert(0, entry(1))

    assert told(await soon(stream)) == (["req_00001"], 0)
    await stream.aclose()


async def test_each_reader_gets_what_they_see_and_want() -> None:
    desk = Desk(entry(1, workspace_id="wrkspc_2"), entry(2, status=529), entry(3, api_key_id="apikey_2"))
    hub = LogStreams(desk.read)
    tastes = [
        Taste(Sight(ACME, ("wrkspc_2",), ("apikey_2",)), Wanted(), None),
        Taste(Sight(ACME, None), Wanted(status="failed"), None),
        Taste(Sight(ACME, None), Wanted(user_id="user_9"), frozenset({"apikey_2"})),
    ]
    streams = [hub.stream(taste, f"user_{n}") for n, taste in enumerate(tastes)]
    for stream in streams:
        await soon(stream)

    found = [told(await soon(stream))[0] for stream in streams]

    assert found == [["req_00001", "req_00003"], ["req_00002"], ["req_00003"]]
    for stream in streams:
        await stream.aclose()


async def test_what_comes_too_fast_is_counted_and_not_sent() -> None:
    desk = Desk(entry(0))
    stream = LogStreams(desk.read).stream(EVERYTHING, "user_1")
    await soon(stream), await soon(stream)

    desk.entries += [entry(n) for n in range(1, 101)]

    requests, dropped = told(await soon(stream))
    assert (requests[0], requests[-1], dropped) == ("req_00061", "req_00100", 60)
    await stream.aclose()


async def test_one_statement_serves_all_and_none_is_made_for_nobody() -> None:
    desk = Desk(entry(1))
    hub = LogStreams(desk.read)
    streams = [
        hub.stream(Taste(Sight(one, None), Wanted(), None), f"user_{n}")
        for n, one in enumerate([ACME, UMBRELLA] * 10)
    ]
    for stream in streams:
        await soon(stream)
    for stream in streams[::2]:
        assert told(await soon(stream))[0] == ["req_00001"]

    assert {len(asked) for asked in desk.asked} <= {1, 2}
    for stream in streams:
        await stream.aclose()
    await asyncio.sleep(0.1)
    asked = len(desk.asked)
    await asyncio.sleep(0.2)
    assert len(desk.asked) == asked


async def test_who_finds_no_room_asks_again_later() -> None:
    hub = LogStreams(Desk().read, most=3, most_of_one=2)
    streams = [hub.stream(EVERYTHING, who) for who in ("a", "a", "a", "b", "c")]

    assert [await soon(stream) for stream in streams] == [AGAIN, AGAIN, NO_ROOM, AGAIN, NO_ROOM]
    for stream in streams:
        await stream.aclose()


async def test_silence_is_filled_also_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onlookers, "KEEP_ALIVE_SECONDS", 0.1)
    desk = Desk()
    stream = LogStreams(desk.read).stream(EVERYTHING, "user_1")
    desk.away = True

    assert [await soon(stream) for _ in range(3)] == [AGAIN, KEEP_ALIVE, KEEP_ALIVE]
    desk.entries, desk.away = [entry(1)], False
    heard = KEEP_ALIVE
    while heard == KEEP_ALIVE:
        heard = await soon(stream)
    assert told(heard) == (["req_00001"], 0)
    await stream.aclose()


@pytest.mark.parametrize("why", ["its time is over", "the process ends"])
async def test_a_stream_ends_so_that_who_may_look_is_asked_again(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    stream = LogStreams(Desk(entry(1)).read).stream(EVERYTHING, "user_1")
    await soon(stream), await soon(stream)

    if why == "the process ends":
        monkeypatch.setattr(ending, "begun", lambda: True)
    else:
        monkeypatch.setattr(onlookers, "LIFE_SECONDS", 0.0)

    with pytest.raises(StopAsyncIteration):
        await soon(stream)


async def test_what_others_wrote_is_text_in_the_tail() -> None:
    desk = Desk(entry(1, model_requested="<img src=x onerror=alert(1)>", key_name="<script>"))
    stream = LogStreams(desk.read).stream(EVERYTHING, "user_1")
    await soon(stream)

    event = (await soon(stream)).decode()

    assert "<img" not in event
    assert "<script" not in event
    assert "&lt;img src=x onerror=alert(1)&gt;" in event
    await stream.aclose()
