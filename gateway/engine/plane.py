"""Everything that serving a message needs, made once per web process."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol

import structlog

from gateway import metrics
from gateway.configuration import Configuration
from gateway.contents.recorder import Recorder
from gateway.directory.directory import Directory
from gateway.directory.store import DirectoryStore
from gateway.encryption import Vault
from gateway.engine.audit import Auditor
from gateway.engine.dialects import Dialects
from gateway.engine.journal_keeper import JournalKeeper
from gateway.engine.refusals import Refusals
from gateway.engine.signers import Signers
from gateway.engine.stickiness import Stickiness
from gateway.limits import limiter as limits
from gateway.limits.expectation import Expectations
from gateway.limits.limiter import Limiter
from gateway.limits.replicas import Replicas
from gateway.metering.journal import Journal
from gateway.tokens.counter import TokenCounter
from gateway.upstreams import circuits
from gateway.upstreams.circuits import Circuits
from gateway.upstreams.client import UpstreamClient
from gateway.valkey import Valkey

log = structlog.get_logger(__name__)

ALARM_SECONDS = 1.0

# What a worker had under way when it died is run again within seconds, and needs its places for that.
BATCH_LEASE_MS = 15_000


class OpenWork(Protocol):
    """A request that is being served and can be told to end."""

    def interrupt(self) -> None: ...


class Plane:
    """The data plane of one process. `start` before the first request, `stop` after the last.

    One that is no `replica` serves nobody while Valkey is away, and has no share in the limits then.
    """

    def __init__(self, configuration: Configuration, *, replica: bool = True) -> None:
        self.configuration = configuration
        vault = Vault([key.get_secret_value() for key in configuration.data_encryption_keys])
        self.directory = Directory(
            DirectoryStore(
                configuration.database_url,
                vault=vault,
                simulator=configuration.simulator,
            ),
            redis_url=configuration.redis_url,
            peppers=configuration.peppers,
        )
        self.valkey = Valkey(configuration.redis_url, (*limits.SCRIPTS, *circuits.SCRIPTS))
        self.journal = Journal(
            configuration.data_dir / "spool", max_bytes=configuration.spool_max_mb * 1024 * 1024
        )
        self.replicas = Replicas(self.valkey, self.journal.owner)
        self.limiter = Limiter(
            self.valkey, self.replicas, lease_ms=limits.LEASE_MS if replica else BATCH_LEASE_MS
        )
        self.auditor = Auditor(self.limiter, self.directory)
        self.refusals = Refusals(self.valkey)
        self.keeper = JournalKeeper(self.journal, self.limiter, replayed=self.auditor.doubt_all)
        self.circuits = Circuits(self.valkey)
        self.stickiness = Stickiness(self.valkey)
        self.signers = Signers(self.valkey)
        self.expectations = Expectations()
        self.client = UpstreamClient()
        self.dialects = Dialects(self.client, simulator_delay=configuration.simulator_delay_ms / 1000)
        self.counter = TokenCounter()
        self.contents = Recorder(configuration.database_url, vault)
        self.open: set[OpenWork] = set()
        self.background: set[asyncio.Task[None]] = set()
        self.draining = False
        self.interrupting = False  # what is cancelled from here on is cancelled by us
        self._next_alarm = 0.0
        self._replica = replica

    async def start(self) -> None:
        self.valkey.on_up = self._valkey_is_up
        await asyncio.gather(self.directory.start(), self.valkey.start())
        if self._replica:
            await self.replicas.start()
        self.limiter.start()
        self.keeper.start()
        metrics.watch(
            open_exchanges=lambda: len(self.open),
            open_reservations=lambda: self.limiter.open_leases,
            open_attempts=lambda: self.journal.open_attempts,
            unacknowledged=lambda: self.journal.unacknowledged,
            spool_bytes=lambda: self.journal.waiting_bytes,
            replicas=lambda: self.replicas.count,
            valkey_breaker_open=lambda: not self.valkey.available,
            open_circuits=lambda: self.circuits.open,
        )

    async def stop(self) -> None:
        """Let go of everything; what was settled but not confirmed stays in the journal."""
        if self._replica:
            await self.replicas.stop()
        if self.background:
            await asyncio.wait(self.background, timeout=1)
        await self.client.aclose()
        await self.counter.close()
        await self.contents.stop()
        self.circuits.stop()
        self.limiter.stop()
        await self.keeper.stop()
        await self.valkey.stop()
        await self.directory.stop()
        self.journal.close()

    async def drain(self, seconds: float) -> None:
        """Wait for open requests to end by themselves, then tell the rest to end."""
        self.draining = True
        deadline = asyncio.get_running_loop().time() + seconds
        while self.open and asyncio.get_running_loop().time() < deadline:  # noqa: ASYNC110 - once, at the end
            await asyncio.sleep(0.05)
        self.interrupting = True
        for work in list(self.open):
            work.interrupt()

    def run_in_background(self, task: asyncio.Task[None]) -> None:
        """Hold on to a task that outlives its request."""
        self.background.add(task)
        task.add_done_callback(self.background.discard)

    def usage_cannot_be_recorded(self) -> bool:
        """Valkey is away and the journal at its bound; said loudly, once a second at most."""
        if self.valkey.available or not self.journal.full:
            return False
        now = time.monotonic()
        if now >= self._next_alarm:
            self._next_alarm = now + ALARM_SECONDS
            log.critical("usage_spool_full", bytes=self.journal.size, max_mb=self.configuration.spool_max_mb)
        return True

    def _valkey_is_up(self) -> None:
        self.limiter.valkey_is_up()
        self.keeper.wake()
