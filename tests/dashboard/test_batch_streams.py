"""The stream of a batch's progress, from the servers that people meet."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import socket
import sys
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import httpx
import psycopg
import pytest
from django.db import OperationalError
from django.utils import timezone

from dashboard.batches import streams as batch_streams
from dashboard.batches.streams import END, BatchStreams
from dashboard.frame import onlookers
from dashboard.frame.onlookers import AGAIN, KEEP_ALIVE, NO_ROOM
from gateway import ending
from gateway.models import MessageBatch
from tests.dashboard.conftest import Site, running, sign_in, wait_until_ready

DAY = datetime.timedelta(days=1)


def row(done: int = 0, *, status: str = "in_progress", id: str = "msgbatch_1") -> MessageBatch:
    now = timezone.now()
    return MessageBatch(
        id=id, total=100, succeeded=done, status=status, created_at=now - DAY / 24, expires_at=now + DAY
    )


class Desk:
    """Rows as a test sets them, and how often they were asked for."""

    def __init__(self, *rows: MessageBatch) -> None:
        self.rows = {one.id: one for one in rows}
        self.asked: list[list[str]] = []
        self.away = False

    async def read(self, ids: Sequence[str]) -> list[MessageBatch]:
        self.asked.append(list(ids))
        if self.away:
            raise OperationalError("away")
        return [self.rows[id] for id in ids if id in self.rows]


@pytest.fixture(autouse=True)
def _hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onlookers, "EVERY_SECONDS", 0.02)


def data(event: bytes) -> dict[str, Any]:
    kind, _, said = event.partition(b"\n")
    assert kind == b"event: progress"
    return dict(json.loads(said.removeprefix(b"data: ")))


async def soon(stream: AsyncIterator[bytes]) -> bytes:
    async with asyncio.timeout(5):
        return await anext(stream)


async def test_only_what_changes_is_told_and_the_end_ends_it() -> None:
    desk = Desk(row(10))
    stream = BatchStreams(desk.read).stream("msgbatch_1", "user_1")
    assert await soon(stream) == AGAIN
    first = data(await soon(stream))
    waiting = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0.2)
    assert not waiting.done()

    desk.rows["msgbatch_1"] = row(50)
    second = data(await waiting)
    desk.rows["msgbatch_1"] = row(100, status="ended")
    third = data(await soon(stream))

    assert [told["counts"] for told in (first, second, third)] == [
        {"processing": 100 - done, "succeeded": done, "errored": 0, "canceled": 0, "expired": 0}
        for done in (10, 50, 100)
    ]
    assert (first["per_second"], first["seconds_left"]) == (0.00278, 32400)
    assert (third["status"], third["seconds_left"]) == ("ended", None)
    assert await soon(stream) == END
    with pytest.raises(StopAsyncIteration):
        await anext(stream)


async def test_the_rate_is_that_of_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_streams, "LEAST_RATE_SECONDS", 0.3)
    desk = Desk(row(10))
    stream = BatchStreams(desk.read).stream("msgbatch_1", "user_1")
    await soon(stream), await soon(stream)

    desk.rows["msgbatch_1"] = row(40)
    told = [data(await soon(stream))]
    while told[-1]["per_second"] == told[0]["per_second"]:
        told.append(data(await soon(stream)))

    assert 20 < told[-1]["per_second"] <= 100
    assert told[0]["words"]["rate"] == "40 an hour"
    await stream.aclose()


async def test_that_nothing_comes_any_more_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batch_streams, "LEAST_RATE_SECONDS", 0.1)
    stuck = row(60)
    stuck.created_at = timezone.now() - datetime.timedelta(seconds=1)
    stream = BatchStreams(Desk(stuck).read).stream("msgbatch_1", "user_1")
    await soon(stream)

    told = data(await soon(stream))
    while told["per_second"]:
        told = data(await soon(stream))

    assert (told["words"]["rate"], told["words"]["left"]) == ("0 a second", "unknown")


async def test_one_statement_tells_all_who_look_on_and_none_is_made_for_nobody() -> None:
    desk = Desk(row(1), row(2, id="msgbatch_2"))
    hub = BatchStreams(desk.read)
    streams = [hub.stream(f"msgbatch_{1 + n % 2}", f"user_{n}") for n in range(40)]
    for stream in streams:
        await soon(stream)

    counts = [data(await soon(stream))["done"] for stream in streams]

    assert counts == [1, 2] * 20
    assert all(len(ids) <= 2 for ids in desk.asked)
    for stream in streams:
        await stream.aclose()
    await asyncio.sleep(0.1)
    asked = len(desk.asked)
    await asyncio.sleep(0.2)
    assert len(desk.asked) == asked


async def test_who_finds_no_room_asks_again_later() -> None:
    hub = BatchStreams(Desk(row()).read, most=3, most_of_one=2)
    streams = [hub.stream("msgbatch_1", who) for who in ("a", "a", "a", "b", "c")]

    assert [await soon(stream) for stream in streams] == [AGAIN, AGAIN, NO_ROOM, AGAIN, NO_ROOM]
    await streams[0].aclose()
    assert await soon(hub.stream("msgbatch_1", "c")) == AGAIN


async def test_silence_is_filled_also_while_the_database_is_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onlookers, "KEEP_ALIVE_SECONDS", 0.1)
    desk = Desk(row(10))
    stream = BatchStreams(desk.read).stream("msgbatch_1", "user_1")
    await soon(stream), await soon(stream)

    assert await soon(stream) == KEEP_ALIVE
    desk.away = True
    assert await soon(stream) == KEEP_ALIVE
    desk.rows["msgbatch_1"], desk.away = row(20), False
    heard = [await soon(stream)]
    while heard[-1] == KEEP_ALIVE:
        heard.append(await soon(stream))
    assert data(heard[-1])["done"] == 20


async def test_a_batch_that_is_deleted_ends_its_stream() -> None:
    assert [event async for event in BatchStreams(Desk().read).stream("msgbatch_1", "user_1")] == [AGAIN, END]


@pytest.mark.parametrize("why", ["its time is over", "the process ends"])
async def test_a_stream_ends_without_a_word_so_that_the_browser_asks_again(
    monkeypatch: pytest.MonkeyPatch, why: str
) -> None:
    stream = BatchStreams(Desk(row()).read).stream("msgbatch_1", "user_1")
    await soon(stream), await soon(stream)

    if why == "the process ends":
        monkeypatch.setattr(ending, "begun", lambda: True)
    else:
        monkeypatch.setattr(onlookers, "LIFE_SECONDS", 0.0)

    with pytest.raises(StopAsyncIteration):
        await soon(stream)


# --- Real servers ---


@contextlib.contextmanager
def signed_in(url: str) -> Iterator[httpx.Client]:
    """Ada's session, as her browser has it."""
    with httpx.Client(base_url=url, timeout=10) as client:
        sign_in(client, "ada@example.com")
        yield client


@pytest.fixture(scope="module")
def database(site: Site) -> Iterator[psycopg.Connection]:
    with psycopg.connect(site.database_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def batch_id(site: Site, database: psycopg.Connection) -> Iterator[str]:
    """A batch of Acme that only this test changes."""
    made = f"msgbatch_{time.monotonic_ns()}"
    database.execute(
        """INSERT INTO message_batch SELECT (jsonb_populate_record(b, jsonb_build_object('id', %s::text,
             'total', 100, 'succeeded', 10, 'errored', 0))).* FROM message_batch b WHERE id = %s""",
        [made, site.ids["running"]],
    )
    yield made
    database.execute("DELETE FROM message_batch WHERE id = %s", [made])


@contextlib.contextmanager
def daphne(site: Site) -> Iterator[str]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        environment = {
            **site.environment,
            "GATEWAY_SERVER": "daphne",
            "GATEWAY_LISTEN_FD": str(listener.fileno()),
            "PORT": str(port),
        }
        command = [sys.executable, "-m", "gateway.server"]
        with running(command, environment, name="daphne", pass_fds=(listener.fileno(),)) as process:
            wait_until_ready(f"http://127.0.0.1:{port}/readyz", process)
            yield f"http://127.0.0.1:{port}"


@pytest.fixture(params=["uvicorn", "daphne"])
def address(request: pytest.FixtureRequest, site: Site) -> Iterator[str]:
    if request.param == "uvicorn":
        yield site.url
        return
    with daphne(site) as url:
        yield url


@pytest.mark.slow
def test_a_stream_follows_the_batch_to_its_end(
    address: str, database: psycopg.Connection, batch_id: str
) -> None:
    counts = []
    with signed_in(address) as client, client.stream("GET", f"/batches/{batch_id}/events") as answer:
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        assert answer.headers["x-accel-buffering"] == "no"
        assert "no-store" in answer.headers["cache-control"]
        assert "content-encoding" not in answer.headers
        lines = answer.iter_lines()
        for line in lines:
            if not line.startswith('data: {"status'):
                continue
            told = json.loads(line.removeprefix("data: "))
            counts.append((told["status"], told["done"]))
            if told["done"] == 10:
                change(database, batch_id, "succeeded = 60")
            elif told["status"] == "in_progress":
                change(database, batch_id, "succeeded = 97, errored = 3, status = 'ended', ended_at = now()")
            else:
                break
        rest = [line for line in lines if line]

    assert counts == [("in_progress", 10), ("in_progress", 60), ("ended", 100)]
    assert rest == ["event: end", "data: {}"]


def change(database: psycopg.Connection, batch_id: str, what: str) -> None:
    database.execute(f"UPDATE message_batch SET {what} WHERE id = %s".encode(), [batch_id])


@pytest.mark.slow
def test_streams_hold_no_connection_to_the_database(
    site: Site, database: psycopg.Connection, batch_id: str
) -> None:
    with contextlib.ExitStack() as stack:
        client = stack.enter_context(signed_in(site.url))
        followed = []
        for _ in range(10):
            answer = stack.enter_context(client.stream("GET", f"/batches/{batch_id}/events"))
            followed.append(answer.iter_lines())  # kept, since httpx hangs up where nobody iterates any more
            while not next(followed[-1]).startswith("data: "):
                pass
        # Django's pool has eight for all pages of the process: were they held, no page would come.
        for _ in range(5):
            assert client.get("/batches").status_code == 200
        full = client.get(f"/batches/{batch_id}/events")
    assert full.text.startswith("retry: 15000\n")


@pytest.mark.slow
def test_who_leaves_makes_room(site: Site, batch_id: str) -> None:
    with signed_in(site.url) as client:
        for _ in range(onlookers.MOST_OF_ONE + 3):
            with client.stream("GET", f"/batches/{batch_id}/events") as answer:
                assert next(answer.iter_lines()) == "retry: 2000"
            time.sleep(0.05)


@pytest.mark.slow
def test_a_server_that_is_told_to_end_does_not_wait_for_streams(
    site: Site, database: psycopg.Connection, batch_id: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        environment = {
            **site.environment,
            "GATEWAY_LISTEN_FD": str(listener.fileno()),
            "GATEWAY_DRAIN_SECONDS": "30",
            "PORT": str(port),
        }
        command = [sys.executable, "-m", "gateway.server"]
        with running(command, environment, name="ending", pass_fds=(listener.fileno(),)) as process:
            url = f"http://127.0.0.1:{port}"
            wait_until_ready(f"{url}/readyz", process)
            with signed_in(url) as client, client.stream("GET", f"/batches/{batch_id}/events") as answer:
                lines = answer.iter_lines()
                assert next(lines) == "retry: 2000"
                process.terminate()
                began = time.monotonic()
                said = list(lines)
            process.wait(15)

    assert time.monotonic() - began < 12
    assert "event: end" not in said
