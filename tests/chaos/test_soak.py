"""Hours of ordinary days: streams, clients that leave, providers that fail; nothing may grow.

`make soak` runs for SOAK_MINUTES (30), `make test` for seconds, which shows that the measuring works and coarse leaks.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
import statistics
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from gateway.supervisor.postgres import Postgres
from tests import upstream as provider
from tests.data_plane.house import PROVIDER_KEY, Tenant, body
from tests.data_plane.wire import Answer, Wire
from tests.event_loop_thread import EventLoopThread
from tests.outages.site import Site, open_site, until
from tests.outages.web_group import WebGroup
from tests.upstream import Close, Hang, Pause, Reset, Send, chunk, stream_head

MODEL = "claude-soaked"
STREAMS = 50
ABORTED, FAILED = 0.2, 0.1
EVERY = 0.5  # seconds between two looks at the memory
REST_SECONDS = 75.0  # longer than any connection is kept for the next request
SLACK = 2
BEGUN = [Send(stream_head()), *map(Send, map(chunk, provider.frames()[:4]))]

# After so many requests caches are warm; from there on so many megabytes per 1,000 requests.
WARM_REQUESTS, MEGABYTES = 2000, 1.0
SHORT_SECONDS, SHORT_WARM_REQUESTS, SHORT_MEGABYTES = 8.0, 400, 5.0


@dataclass(frozen=True)
class Held:
    """What a process holds while nobody asks; `kept` connections to the provider are not among the descriptors."""

    descriptors: int
    kept: int
    tasks: int
    database_connections: int

    def within(self, slack: int, other: Held, *, kept_too: bool) -> bool:
        """Whether this is no more than the other; connections to the provider are kept for 20 s."""
        return (
            not (kept_too and self.kept > other.kept + slack)
            and self.descriptors <= other.descriptors + slack
            and self.tasks <= other.tasks + slack
            and self.database_connections <= other.database_connections + slack
        )


@dataclass
class Soak:
    """`samples` are requests so far and resident bytes."""

    site: Site
    web: WebGroup
    tenant: Tenant
    whole: str
    failures: list[str]

    def __post_init__(self) -> None:
        self.outcomes: Counter[str] = Counter()
        self.samples: list[tuple[int, int]] = []

    def held(self) -> Held:
        with psycopg.connect(self.site.database.url) as connection:
            (row,) = connection.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND pid <> pg_backend_pid()"
            ).fetchall()
        tasks = min(int(self.web.figures()[0]["gateway_tasks"]) for _ in range(3))
        process, provider_port = self.web.process(0), self.site.house.upstream.port
        kept = [
            one for one in process.net_connections("tcp") if one.raddr and one.raddr.port == provider_port
        ]
        return Held(process.num_fds() - len(kept), len(kept), tasks, int(row[0]))

    def slope(self, after: int) -> float:
        """Megabytes per 1,000 requests, by least squares over what came after so many."""
        warm = [(requests / 1000, size / (1 << 20)) for requests, size in self.samples if requests >= after]
        assert len(warm) >= 10, f"{len(warm)} looks after {after} requests tell nothing"
        return float(statistics.linear_regression(*zip(*warm, strict=True)).slope)

    async def run(self, seconds: float) -> None:
        ends = time.monotonic() + seconds
        lanes = [asyncio.create_task(self._lane(random.Random(lane), ends)) for lane in range(STREAMS)]
        process = self.web.process(0)
        while time.monotonic() < ends:
            self.samples.append((self.outcomes.total(), process.memory_info().rss))
            await asyncio.sleep(EVERY)
        await asyncio.gather(*lanes)

    async def _lane(self, chance: random.Random, ends: float) -> None:
        while time.monotonic() < ends:
            drawn = chance.random()
            if drawn < ABORTED:
                await self._ask(self.whole, patience=chance.uniform(0.0, 0.2))
            elif drawn < ABORTED + FAILED:
                await self._ask(chance.choice(self.failures))
            else:
                await self._ask(self.whole)

    async def _ask(self, script: str, patience: float | None = None) -> None:
        raw = self.site.house.message(body(MODEL, script, stream=True), key=self.tenant.key)
        answer = Answer()
        wire = await Wire.connect(self.web.port)
        try:
            async with asyncio.timeout(30 if patience is None else patience):
                await wire.send(raw)
                await wire.read_into(answer)
        except TimeoutError:
            assert patience is not None, "no answer within 30 s"
        wire.reset()
        self.outcomes["left" if patience is not None else _outcome(answer)] += 1


@pytest.fixture(scope="module")
def site(postgres_server: Postgres, scratch_folders: Callable[[str], Path]) -> Iterator[Site]:
    with open_site(postgres_server, scratch_folders, "soak") as site:
        site.house.gateway.close()  # one of our own takes its place
        yield site


def test_nothing_grows_over_some_thousand_requests(site: Site) -> None:
    soak = _soak(site, SHORT_SECONDS, rest=5.0, kept_too=False)

    assert soak.slope(SHORT_WARM_REQUESTS) <= SHORT_MEGABYTES


@pytest.mark.chaos
def test_nothing_grows_over_many_minutes(site: Site) -> None:
    soak = _soak(site, 60 * float(os.environ.get("SOAK_MINUTES", "") or 30), rest=REST_SECONDS, kept_too=True)

    assert soak.slope(WARM_REQUESTS) <= MEGABYTES


def _soak(site: Site, seconds: float, *, rest: float, kept_too: bool) -> Soak:
    with _process(site) as web:
        soak = Soak(site, web, site.house.tenant(), *_scripts(site))
        before = soak.held()
        began = time.monotonic()
        thread = EventLoopThread("soak")
        try:
            thread.run(soak.run(seconds), seconds + 60)
        finally:
            thread.stop()
        took = time.monotonic() - began
        with contextlib.suppress(AssertionError):
            until(lambda: soak.held().within(SLACK, before, kept_too=kept_too), rest)
        after = soak.held()

    sizes = [size / (1 << 20) for _, size in soak.samples]
    print(
        f"\n{soak.outcomes.total()} requests in {took:.0f} s: {dict(soak.outcomes)}; memory "
        f"{sizes[0]:.0f} to {sizes[-1]:.0f} MB (most {max(sizes):.0f}), "
        f"{soak.slope(min(WARM_REQUESTS, soak.outcomes.total() // 3)):+.2f} MB per 1,000 requests;\n"
        f"before {before}\nafter  {after}"
    )
    assert after.within(SLACK, before, kept_too=kept_too)
    assert soak.outcomes["whole"] > soak.outcomes.total() / 2
    assert soak.outcomes.keys() <= {"whole", "left", "error frame", "status 500", "status 529", "status 504"}
    return soak


def _process(site: Site) -> WebGroup:
    site.house.office.wish(
        "provider",
        name="soaked",
        base_url=site.house.upstream.base_url,
        api_key=PROVIDER_KEY,
        timeouts={"connect": 1.0, "first_byte": 2.0, "idle": 2.0},
    )
    site.house.office.wish(
        "model", name=MODEL, routes=[{"provider": "soaked", "model": "m", "priority": 1}], aliases=[]
    )
    environment = site.house.environment | {"GATEWAY_STREAM_CHECK_SHARE": "0"}
    return WebGroup(environment, site.folder, 1)


def _scripts(site: Site) -> tuple[str, list[str]]:
    """A whole stream, and what goes wrong with one."""
    script, frames = site.house.upstream.script, provider.frames()
    return script(provider.streamed(frames, delay=0.03)), [
        script(Reset()),
        script(BEGUN, Pause(0.02), Reset()),
        script(BEGUN, Close()),
        script(BEGUN, Send(chunk(b"data: {garbage\n\n")), Close()),
        script(provider.reply(529, provider.error("overloaded_error", "Busy"))),
        script(BEGUN, Hang()),
    ]


def _outcome(answer: Answer) -> str:
    if answer.status != 200:
        return f"status {answer.status}"
    if not answer.complete:
        return "cut"
    if b"event: error" in answer.body:
        return "error frame"
    return "whole" if b"event: message_stop" in answer.body else "silent end"
