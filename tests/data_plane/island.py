"""A further web process on the house's stores, with a fault proxy before each."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qs, quote, urlsplit

from tests.data_plane import wire
from tests.data_plane.house import Gateway, House
from tests.data_plane.wire import Answer
from tests.faults import FaultProxy

CHEAP = {"model": "claude-scripted", "max_tokens": 1, "messages": [{"role": "user", "content": "x"}]}


@dataclass
class Island:
    house: House
    gateway: Gateway
    valkey: FaultProxy
    postgres: FaultProxy

    def post(self, key: str | None = None) -> Answer:
        return self._ask(self.house.message(CHEAP, key=key))

    def post_all(self, keys_and_sources: list[tuple[str, str]]) -> list[Answer]:
        """Side by side, each with a key from an address."""

        async def ask() -> list[Answer]:
            asked = [
                wire.ask(self.gateway.port, self.house.message(CHEAP, key=key), source=source)
                for key, source in keys_and_sources
            ]
            return await asyncio.gather(*asked)

        return asyncio.run(ask())

    def get(self, path: str) -> Answer:
        return self._ask(wire.request("GET", path, []))

    def is_well(self) -> bool:
        breaker, ready = self.get("/metrics").body, self.get("/readyz")
        return b"\ngateway_valkey_breaker_open 0" in breaker and b"away" not in ready.body

    def _ask(self, raw: bytes) -> Answer:
        return asyncio.run(wire.ask(self.gateway.port, raw))

    def post_until(self, status: int, key: str | None = None, within: float = 10) -> float:
        """Ask until this status comes; the seconds it took."""
        began = time.monotonic()
        while (answer := self.post(key)).status != status:
            assert time.monotonic() - began < within, (answer.status, answer.body)
            time.sleep(0.05)
        return time.monotonic() - began


@contextlib.contextmanager
def open_island(house: House, folder: Path) -> Iterator[Island]:
    database = urlsplit(house.environment["DATABASE_URL"])
    sockets = parse_qs(database.query)["host"][0]
    with (
        FaultProxy(house.environment["REDIS_URL"].removeprefix("unix://"), listen=f"{folder}/v") as valkey,
        FaultProxy(f"{sockets}/.s.PGSQL.5432", listen=f"{folder}/.s.PGSQL.5432") as postgres,
    ):
        own = {
            "DATABASE_URL": database._replace(query=f"host={quote(str(folder), safe='')}").geturl(),
            "REDIS_URL": f"unix://{valkey.address}",
            "DATA_DIR": str(folder),
        }
        module = "tests.data_plane.impatient_server"
        gateway = Gateway(house.environment | own, folder / "gateway.log", module)
        try:
            gateway.wait_until_ready()
            yield Island(house, gateway, valkey, postgres)
        finally:
            gateway.close()
