"""Batches that a provider carries whole, as tests make and follow them."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, cast

from gateway.batch_states import ItemState
from gateway.batches.native import NativeRunner
from gateway.batches.native_rows import NativeRows, Result
from gateway.batches.runner import Runner
from gateway.batches.store import BatchStore
from gateway.configuration import Configuration
from gateway.engine.plane import Plane
from gateway.metering.event import FIELD, UsageEvent
from gateway.metering.event import decode as decode_event
from gateway.metering.stream import STREAMS
from tests.batch_provider import BatchProvider
from tests.data_plane.house import PROJECT, House, Tenant, body
from tests.data_plane.stored_batches import batch_row, items_of

NATIVE = "routed-native"  # its provider takes batches
PROVIDER = "native"
WITHIN = 20.0  # seconds


def furnish(house: House, *keys: str) -> None:
    """The provider, with keys, and its model."""
    given = [{"key": key, "weight": 100} for key in keys]
    house.office.wish(
        "provider", name=PROVIDER, base_url=house.upstream.base_url, api_keys=given, batches="native"
    )
    routes = [{"provider": PROVIDER, "model": "upstream-model"}]
    house.office.wish("model", name=NATIVE, routes=routes, aliases=["routed-native-latest"])


class NativeBatches:
    """Those of one tenant at one provider."""

    def __init__(self, house: House, tenant: Tenant, provider: BatchProvider) -> None:
        self.house = house
        self.tenant = tenant
        self.provider = provider
        self._ids: list[str] = []

    def create(
        self,
        *params: dict[str, Any],
        raw: bytes | None = None,
        decided: bool = True,
        provider: str = PROVIDER,
    ) -> str:
        """A batch with these items, by default two; its id. Once that is `decided` it is to be carried whole."""
        given = params or (body(NATIVE), body(NATIVE))
        requests = [{"custom_id": f"item-{n}", "params": one} for n, one in enumerate(given)]
        headers = [("anthropic-beta", self.provider.name)]
        answer = self.house.post(
            raw or {"requests": requests}, path="/v1/messages/batches", key=self.tenant.key, headers=headers
        )
        batch_id: str = answer.json["id"]
        if decided:
            self.set(batch_id, passage="native", provider=provider)
        self._ids.append(batch_id)
        return batch_id

    def set(self, batch_id: str, **columns: Any) -> None:
        names = ", ".join(f"{name} = %s" for name in columns)
        self.house.database.execute(
            f"UPDATE message_batch SET {names} WHERE id = %s",  # type: ignore[arg-type]
            [*columns.values(), batch_id],
        )

    def age(self, batch_id: str, seconds: float) -> None:
        """All its times are so many seconds earlier."""
        columns = ("created_at", "expires_at", "forwarded_at", "next_look_at")
        moved = ", ".join(f"{name} = {name} - make_interval(secs => %(by)s)" for name in columns)
        self.house.database.execute(
            f"UPDATE message_batch SET {moved} WHERE id = %(id)s",  # type: ignore[arg-type]
            {"by": seconds, "id": batch_id},
        )

    def look_again(self, batch_id: str) -> None:
        self.set(batch_id, next_look_at=None)

    def row(self, batch_id: str) -> dict[str, Any]:
        return batch_row(self.house, batch_id)

    def results(self, batch_id: str) -> dict[str, dict[str, Any]]:
        """By custom id, as they are stored."""
        lines = [json.loads(row["result"]) for row in items_of(self.house, batch_id) if row["result"]]
        return {line["custom_id"]: line["result"] for line in lines}

    def events(self) -> dict[Any, UsageEvent]:
        """What the tenant was billed, as the ledger counts it: by the ids of attempts."""
        return {event.attempt_id: event for event in self.told()}

    def told(self) -> list[UsageEvent]:
        """All that the ledger was told of the tenant, some of it perhaps twice."""
        entries = [entry for stream in STREAMS for entry in cast(Any, self.house.valkey.xrange(stream))]
        events = [decode_event(fields[FIELD.encode()]) for _, fields in entries]
        return [event for event in events if str(event.organization_id) == self.tenant.id]

    def now(self) -> datetime.datetime:
        """By the clock of the database."""
        at: datetime.datetime = self.house.database.execute("SELECT now() AS at").fetchall()[0]["at"]
        return at

    def now_plus(self, seconds: float) -> datetime.datetime:
        return self.now() + datetime.timedelta(seconds=seconds)

    def cancel(self, batch_id: str) -> None:
        path = f"/v1/messages/batches/{batch_id}/cancel"
        assert self.house.post(b"", path=path, key=self.tenant.key).status == 200

    def key_of(self, batch_id: str) -> str:
        """The secret that it was sent with."""
        return str(self.provider.sent()[0].header("x-api-key"))

    def bring_home_again(self, batch_id: str) -> None:
        """As if nothing had come home yet."""
        self.house.database.execute(
            "UPDATE message_batch_item SET state = 2, result = NULL WHERE batch_id = %s", [batch_id]
        )
        self.set(batch_id, status="in_progress", succeeded=0, ended_at=None)

    def forget(self) -> None:
        self.house.database.execute(
            "UPDATE message_batch SET status = 'ended' WHERE organization_id = %s", [self.tenant.id]
        )

    def billed(self, number: int, within: float) -> bool:
        """Whether so many attempts are, sooner or later."""
        deadline = time.monotonic() + within
        while len(self.events()) != number and time.monotonic() < deadline:
            time.sleep(0.02)
        return len(self.events()) == number

    def store_as(self, *, runner: int, batch_id: str) -> dict[str, Any]:
        """Let some runner store a result for each of its items; the row afterwards."""
        results = [
            Result(row["number"], ItemState.SUCCEEDED, b"{}") for row in items_of(self.house, batch_id)
        ]

        async def store() -> None:
            pool = BatchStore(self.house.environment["DATABASE_URL"])
            await NativeRows(pool, runner).store(batch_id, results)
            await pool.close()

        asyncio.run(store())
        return self.row(batch_id)

    def carry(
        self,
        batch_id: str,
        *,
        until: Callable[[dict[str, Any]], bool] | None = None,
        nudge: bool = True,
        engine: bool = False,
        **settings: Any,
    ) -> dict[str, Any]:
        """Let a runner look at it, again and again where it is to `nudge`, until it has ended; the row then. With the
        `engine` a runner of items is there too."""
        until = until or (lambda row: row["status"] == "ended")
        asyncio.run(self._carry(batch_id, until, nudge, engine, settings))
        return self.row(batch_id)

    def look(self, batch_id: str) -> dict[str, Any]:
        """Let a runner look at it once; the row afterwards."""
        self.look_again(batch_id)
        return self.carry(batch_id, until=_looked_at, nudge=False)

    async def _carry(
        self,
        batch_id: str,
        until: Callable[[dict[str, Any]], bool],
        nudge: bool,
        engine: bool,
        settings: dict[str, Any],
    ) -> None:
        async with running(self.house, engine=engine, **settings):
            await asyncio.to_thread(self.wait, batch_id, until, nudge=nudge)

    def wait(
        self,
        batch_id: str,
        until: Callable[[dict[str, Any]], bool],
        *,
        nudge: bool = False,
        within: float = WITHIN,
    ) -> None:
        deadline = time.monotonic() + within
        while not until(row := self.row(batch_id)):
            assert time.monotonic() < deadline, f"after {within} s: {row}"
            if nudge:
                self.look_again(batch_id)
            time.sleep(0.02)


def _looked_at(row: dict[str, Any]) -> bool:
    done = row["status"] == "ended" or row["passage"] != "native"
    return done or (row["next_look_at"] is not None and row["lease"] is None)


@contextlib.asynccontextmanager
async def running(house: House, *, engine: bool, **settings: Any) -> AsyncIterator[None]:
    """A runner of native batches, and one of items, which end with the `with`."""
    configuration = Configuration(**house.environment | settings)  # type: ignore[arg-type]
    store, plane = BatchStore(configuration.database_url), Plane(configuration, replica=False)
    await plane.start()
    stopping = asyncio.Event()
    try:
        tasks = [asyncio.create_task(_run_on(plane, store, stopping))]
        if engine:
            tasks.append(asyncio.create_task(_run_items(plane, store, stopping)))
        yield
    finally:
        stopping.set()
        await asyncio.gather(*tasks)
        await plane.stop()
        await store.close()


async def _run_on(plane: Plane, store: BatchStore, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        await NativeRunner(plane, store, stopping=stopping.is_set).run()
        await asyncio.sleep(0.02)


async def _run_items(plane: Plane, store: BatchStore, stopping: asyncio.Event) -> None:
    while not stopping.is_set():
        await Runner(plane, store, most=10, stopping=stopping.is_set).run()
        await asyncio.sleep(0.02)


@contextlib.contextmanager
def process(house: House) -> Iterator[subprocess.Popen[str]]:
    """A runner in a process of its own."""
    command = [sys.executable, "-m", "tests.data_plane.native_process"]
    with subprocess.Popen(
        command, cwd=PROJECT, env=house.environment, stdout=subprocess.PIPE, text=True
    ) as started:
        try:
            yield started
        finally:
            started.kill()
