"""Requests given up at any moment, behind stores that answer slowly, never leave a reply to somebody else."""

from __future__ import annotations

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import quote

import pytest

from tests import upstream as provider
from tests.data_plane.house import Gateway, Tenant, body
from tests.data_plane.wire import Answer, Wire
from tests.faults import FaultProxy
from tests.outages.site import Site

STREAMS = 2500 if os.environ.get("LONG_TESTS") else 250
TENANTS = 12
AT_ONCE = 40
NONCE = re.compile(rb"nonce-\d+-")


@dataclass
class Seen:
    """What became of the streams: `outcomes` counts them, `wrong` holds each that was not its own."""

    outcomes: Counter[str] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)


# Behind 20 ms each way Valkey still answers in time; behind 100 ms each call is given up and the answer
# comes to a connection that nobody reads any more.
@pytest.mark.parametrize("latency", [0.02, 0.1])
def test_streams_given_up_at_any_moment_swap_no_reply(site: Site, latency: float) -> None:
    tenants = [site.house.tenant() for _ in range(TENANTS)]
    with _behind_slow_stores(site, latency) as gateway:
        seen = asyncio.run(_storm(site, gateway, tenants))

    print(f"\n{STREAMS} streams, stores {latency * 1000:.0f} ms away: {dict(seen.outcomes)}")
    assert seen.wrong == []
    assert seen.outcomes["whole"] > STREAMS / 4
    assert seen.outcomes["given up"] > STREAMS / 4
    assert set(seen.outcomes) <= {"whole", "given up", "503"}
    assert seen.outcomes["503"] < STREAMS / 50, (
        "keys that PostgreSQL was asked for again did not come in time"
    )


@contextmanager
def _behind_slow_stores(site: Site, latency: float) -> Iterator[Gateway]:
    folder = site.folder / f"slow-{latency}"
    folder.mkdir()
    socket = ".s.PGSQL.5432"
    with (
        FaultProxy(site.valkey_url.removeprefix("unix://"), listen=f"{folder}/v") as valkey,
        FaultProxy(f"{site.database.sockets}/{socket}", listen=f"{folder}/{socket}") as postgres,
    ):
        database = site.database.url.replace(
            quote(str(site.database.sockets), safe=""), quote(str(folder), safe="")
        )
        gateway = site.gateway(Path(folder).name, DATABASE_URL=database, REDIS_URL=f"unix://{valkey.address}")
        try:
            gateway.wait_until_ready()
            valkey.behave(latency=latency)
            postgres.behave(latency=latency)
            yield gateway
        finally:
            gateway.close()


async def _storm(site: Site, gateway: Gateway, tenants: list[Tenant]) -> Seen:
    seen, chance, slots = Seen(), random.Random(7), asyncio.Semaphore(AT_ONCE)

    async def one(number: int) -> None:
        async with slots:
            tenant = tenants[number % TENANTS]
            patience = chance.uniform(0, 0.3) if chance.random() < 0.5 else None
            await _stream(site, gateway, tenant, number, patience, seen)

    forgetting = asyncio.create_task(_announce_keys(site, tenants))
    await asyncio.gather(*(one(number) for number in range(STREAMS)))
    forgetting.cancel()
    return seen


async def _announce_keys(site: Site, tenants: list[Tenant]) -> None:
    """Keys are read again and again, so that slow answers of Postgres are under way all the time."""
    while True:
        for tenant in tenants:
            await asyncio.to_thread(site.house.office.wish, "key_status", id=tenant.key_id, status="active")
            await asyncio.sleep(0.02)


async def _stream(
    site: Site, gateway: Gateway, tenant: Tenant, number: int, patience: float | None, seen: Seen
) -> None:
    nonce = f"nonce-{number}-"
    events = provider.events([nonce] * 6)
    name = site.house.upstream.script(provider.streamed(provider.frames(events), delay=0.01))
    wire = await Wire.connect(gateway.port)
    answer = Answer()
    try:
        async with asyncio.timeout(patience if patience is not None else 20):
            await wire.send(site.house.message(body(script=name, stream=True), key=tenant.key))
            await wire.read_head(answer)
            if answer.status == 200:
                await wire.read_until(answer, b"event: message_stop")
        seen.outcomes["whole" if answer.status == 200 else str(answer.status)] += 1
    except TimeoutError:
        seen.outcomes["given up" if patience is not None else "too slow"] += 1
    finally:
        wire.reset()
    foreign = set(NONCE.findall(answer.body)) - {nonce.encode()}
    owner = answer.header("anthropic-organization-id")
    if foreign or owner not in (None, tenant.id):
        seen.wrong.append(f"{nonce} of {tenant.name}: {foreign}, {owner}")
