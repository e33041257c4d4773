"""Storing a batch whole or not at all, whenever whoever sent it leaves or the process has to end."""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import json
import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from gateway.batches import spooled_file as spooling
from gateway.batches.hint import Hints
from gateway.batches.idempotency import IdempotentCall
from gateway.batches.intake import Accepted, Intake, NewBatch
from gateway.batches.spooled_file import SpoolFailed
from gateway.batches.store import BatchStore
from gateway.errors import PermissionDenied, Unavailable
from gateway.ids import new_id
from gateway.protocol.anthropic.batch_body import Items
from tests.data_plane import wire
from tests.data_plane.house import Gateway, House, Tenant, free_port
from tests.data_plane.stored_batches import batches_of, orphans
from tests.data_plane.test_new_batches import BATCHES, requests
from tests.data_plane.wire import Wire

QUEUE_LOCK = "SELECT pg_advisory_xact_lock(hashtextextended('message batches of ' || %s::text, 0))"


@contextlib.asynccontextmanager
async def intake_of(house: House, folder: Path) -> AsyncIterator[Intake]:
    store, hints = BatchStore(house.environment["DATABASE_URL"]), Hints(f"redis://127.0.0.1:{free_port()}/0")
    try:
        yield Intake(store, folder / "batches", hints)
    finally:
        await store.close()
        hints.close()


async def take(intake: Intake, tenant: Tenant, key: str = "", number: int = 3) -> Accepted:
    batch = NewBatch(
        id=new_id("msgbatch"),
        organization_id=tenant.id,
        workspace_id=tenant.workspace,
        api_key_id=tenant.key_id,
        request_id="req_1",
        version="2023-06-01",
        relayed=(),
        query="",
        user_agent="",
        address="http://gateway",
        queues=(),
    )
    call = IdempotentCall(tenant.id, tenant.workspace, "route", key, b"digest") if key else None
    items = Items()
    with intake.spool(batch.id) as spool:
        for one in requests(number):
            await spool.add(items.checked(json.dumps(one).encode()))
        return await intake.accept(batch, items, spool, call)


async def until(true: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(5):
        while not await true():
            await asyncio.sleep(0.02)


async def _waiting(connection: psycopg.AsyncConnection[Any]) -> bool:
    """Whether anybody waits for a lock."""
    found = await connection.execute("SELECT count(*) FROM pg_locks WHERE NOT granted")
    return bool((await found.fetchall())[0][0])


@contextlib.asynccontextmanager
async def holding(
    house: House, statement: Any, *values: object
) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """A transaction that others have to wait for."""
    async with await psycopg.AsyncConnection.connect(house.environment["DATABASE_URL"]) as connection:
        await connection.execute(statement, values)
        yield connection
        await connection.rollback()


def test_who_leaves_before_all_is_stored_leaves_nothing(house: House, tmp_path: Path) -> None:
    tenant = house.tenant()
    claimed = (
        "INSERT INTO idempotency_key (organization_id, workspace_id, route, key, body_digest, answer, created_at) "
        "VALUES (%s, %s, 'route', 'mine', '', '', now())"
    )

    async def leave() -> None:
        async with (
            intake_of(house, tmp_path) as intake,
            holding(house, claimed, tenant.id, tenant.workspace) as held,
        ):
            taking = asyncio.create_task(take(intake, tenant, "mine"))
            await until(lambda: _waiting(held))
            taking.cancel()
            with pytest.raises(asyncio.CancelledError):
                await asyncio.wait_for(taking, 5)

    asyncio.run(leave())

    assert batches_of(house, tenant.id) == []
    assert orphans(house) == 0


def test_who_leaves_when_it_is_being_committed_is_answered_since_it_is_stored(
    house: House, tmp_path: Path
) -> None:
    tenant = house.tenant()

    async def leave() -> Accepted:
        async with intake_of(house, tmp_path) as intake:
            async with holding(house, QUEUE_LOCK, tenant.id) as held:
                taking = asyncio.create_task(take(intake, tenant))
                await until(lambda: _waiting(held))
                taking.cancel()
                await asyncio.sleep(0.1)
                assert not taking.done()
            return await asyncio.wait_for(taking, 5)

    accepted = asyncio.run(leave())

    assert [row["id"] for row in batches_of(house, tenant.id)] == [json.loads(accepted.answer)["id"]]


def test_an_archived_workspace_takes_nothing_more(house: House, tmp_path: Path) -> None:
    tenant = house.tenant()
    house.database.execute(
        "UPDATE gateway_workspace SET archived_at = now() WHERE id = %s", [tenant.workspace]
    )

    async def send() -> None:
        async with intake_of(house, tmp_path) as intake:
            with pytest.raises(PermissionDenied, match="archived"):
                await take(intake, tenant)

    asyncio.run(send())

    assert batches_of(house, tenant.id) == []
    assert orphans(house) == 0


def test_a_workspace_that_is_just_being_archived_takes_nothing_more(house: House, tmp_path: Path) -> None:
    """Or else whoever archives it could not know of the batch, which would run on."""
    tenant = house.tenant()
    archive = "UPDATE gateway_workspace SET archived_at = now() WHERE id = %s"

    async def race() -> None:
        async with intake_of(house, tmp_path) as intake, holding(house, archive, tenant.workspace) as held:
            taking = asyncio.create_task(take(intake, tenant))
            await until(lambda: _waiting(held))
            await held.commit()
            with pytest.raises(PermissionDenied, match="archived"):
                await asyncio.wait_for(taking, 5)

    asyncio.run(race())

    assert batches_of(house, tenant.id) == []


def test_a_full_disk_refuses_batches_and_leaves_room_for_the_journal(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tenant = house.tenant()
    monkeypatch.setattr(spooling, "DISK_RESERVE", 1 << 60)

    async def send() -> None:
        async with intake_of(house, tmp_path) as intake:
            with pytest.raises(Unavailable, match="cannot take message batches") as refused:
                await take(intake, tenant)
            assert isinstance(refused.value.__cause__, SpoolFailed)

    asyncio.run(send())

    assert batches_of(house, tenant.id) == []


def test_what_comes_is_private_and_has_no_name(house: House, tmp_path: Path) -> None:
    async def look() -> None:
        async with intake_of(house, tmp_path) as intake:
            with intake.spool("msgbatch_1"):
                assert list((tmp_path / "batches").iterdir()) == []

    asyncio.run(look())

    assert (tmp_path / "batches").stat().st_mode & 0o777 == 0o700


def test_a_process_that_ends_says_so_while_a_body_comes(house: House, tmp_path: Path) -> None:
    tenant = house.tenant()
    gateway = Gateway(house.environment | {"GATEWAY_DRAIN_SECONDS": "1"}, tmp_path / "gateway.log")

    async def talk() -> wire.Answer:
        line = await Wire.connect(gateway.port)
        raw = house.message({"requests": requests(3)}, path=BATCHES, key=tenant.key)
        await line.send(raw[:-3])
        await asyncio.sleep(0.3)
        gateway.terminate()
        return await asyncio.wait_for(line.read(), 10)

    try:
        gateway.wait_until_ready()
        answer = asyncio.run(talk())
        code = gateway.wait(8)
    finally:
        gateway.close()

    assert (answer.status, answer.json["error"]["type"]) == (529, "overloaded_error")
    assert code in (0, -signal.SIGTERM)
    assert batches_of(house, tenant.id) == []


def test_it_is_a_day_by_the_clock_of_the_database(house: House, tmp_path: Path) -> None:
    tenant = house.tenant()

    async def send() -> Accepted:
        async with intake_of(house, tmp_path) as intake:
            return await take(intake, tenant)

    told = json.loads(asyncio.run(send()).answer)

    [row] = batches_of(house, tenant.id)
    assert row["expires_at"] - row["created_at"] == datetime.timedelta(hours=24)
    assert datetime.datetime.fromisoformat(told["created_at"]) == row["created_at"]
    assert datetime.datetime.fromisoformat(told["expires_at"]) == row["expires_at"]
