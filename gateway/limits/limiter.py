"""Admission and settlement: one atomic script each over all scopes of a request.

`admit` never fails: while Valkey is away this process limits on its own. `settle` returns at once; whoever
holds the event is told through the future whether Valkey has it.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import hiredis
import structlog

from gateway.limits.admission import Admission, Refusal, ScopeState
from gateway.limits.local import LocalLimiter
from gateway.principal import LIMITS, Scope
from gateway.valkey import Argument, Script, Valkey, ValkeyUnavailable

log = structlog.get_logger(__name__)

LEASE_MS = 90_000
RENEW_SECONDS = 30.0
GUESS_WINDOW_MS = 60_000

SCRIPTS = ADMIT, SETTLE, RENEW, GUESS = tuple(
    Script(Path(__file__).parent / "scripts" / f"{name}.lua")
    for name in ("admit", "settle", "renew", "guess")
)


class Limiter:
    """All limits of this process. `valkey` knows `SCRIPTS`; `stream` is the stream that settled usage goes to."""

    def __init__(self, valkey: Valkey, *, stream: str) -> None:
        self.valkey = valkey
        self._local = LocalLimiter()
        self._stream = stream
        self._open: dict[str, Admission] = {}
        self._renewing: asyncio.Task[None] | None = None
        self._guesses: dict[str, int] = {}

    def start(self) -> None:
        self._renewing = asyncio.create_task(self._renew())

    def stop(self) -> None:
        if self._renewing is not None:
            self._renewing.cancel()

    async def admit(
        self, scopes: tuple[Scope, ...], lease: str, input_tokens: int, output_tokens: int
    ) -> Admission:
        """Reserve one request and its tokens under all scopes, or under none (then `refusal` says why)."""
        if self.valkey.available:
            keys, limits = _flat(scopes)
            arguments: tuple[Argument, ...] = (lease, LEASE_MS, input_tokens, output_tokens, *limits)
            try:
                reply = await self.valkey.call(ADMIT, keys, arguments)
            except ValkeyUnavailable:
                pass
            except hiredis.ReplyError as problem:
                log.error("admission_script_failed", error=str(problem))
            except asyncio.CancelledError:
                self._forget(scopes, lease, input_tokens, output_tokens)
                raise
            else:
                admission = _admission(scopes, lease, input_tokens, output_tokens, reply)
                if admission.refusal is None:
                    self._open[lease] = admission
                return admission
        return self._local.admit(scopes, lease, input_tokens, output_tokens)

    def settle(
        self, admission: Admission, input_tokens: int, output_tokens: int, event: bytes
    ) -> asyncio.Future[Any]:
        """Give back what was not used and append `event`. The future fails if Valkey may not have it."""
        self._open.pop(admission.lease, None)
        if admission.local:
            self._local.settle(admission, input_tokens, output_tokens)
            return self.append(event) if event else _done()
        keys, limits = _flat(admission.scopes)
        reserved = (admission.input_tokens, admission.output_tokens)
        arguments: tuple[Argument, ...] = (
            admission.lease,
            event,
            *reserved,
            input_tokens,
            output_tokens,
            *limits,
        )
        return self.valkey.call(SETTLE, (self._stream, *keys), arguments)

    def append(self, event: bytes) -> asyncio.Future[Any]:
        """Append a usage event that settles nothing: a failed attempt, or one that was spooled."""
        return self.valkey.command("XADD", self._stream, "*", "event", event)

    async def guesses(self, address: str) -> int:
        """Count a wrong key from `address`; how many there were within a minute, this one included."""
        try:
            return int(await self.valkey.call(GUESS, [f"gw:guesses:{address}"], [GUESS_WINDOW_MS]))
        except (ValkeyUnavailable, hiredis.ReplyError):
            if address not in self._guesses:
                asyncio.get_running_loop().call_later(
                    GUESS_WINDOW_MS / 1000, self._guesses.pop, address, None
                )
            self._guesses[address] = self._guesses.get(address, 0) + 1
            return self._guesses[address]

    @property
    def open_leases(self) -> int:
        return len(self._open)

    def _forget(self, scopes: tuple[Scope, ...], lease: str, input_tokens: int, output_tokens: int) -> None:
        """The caller left while admission was under way: undo it behind its back, in order on the same connection."""
        undone = Admission(lease, scopes, input_tokens, output_tokens, 0, ())
        self.settle(undone, 0, 0, b"").add_done_callback(_ignore)

    async def _renew(self) -> None:
        """Keep the leases of everything that is still running; one that a crash leaves behind ends by itself."""
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            for admission in list(self._open.values()):
                keys = [scope.key + ":leases" for scope in admission.scopes]
                self.valkey.call(RENEW, keys, [admission.lease, LEASE_MS]).add_done_callback(_ignore)


@functools.lru_cache(maxsize=10_000)
def _flat(scopes: tuple[Scope, ...]) -> tuple[tuple[str, ...], tuple[int, ...]]:
    """Keys and limits of all scopes in the scripts' order."""
    keys = tuple(key for scope in scopes for key in (scope.key, scope.key + ":leases"))
    return keys, tuple(limit for scope in scopes for limit in scope.limits)


def _admission(
    scopes: tuple[Scope, ...], lease: str, input_tokens: int, output_tokens: int, reply: list[int]
) -> Admission:
    """The script's reply: admitted, refusing scope and limit, wait, clock, then five numbers a scope."""
    states = tuple(
        ScopeState(scope, (reply[at], reply[at + 1], reply[at + 2], reply[at + 3]), reply[at + 4])
        for at, scope in zip(_steps(len(scopes)), scopes, strict=True)
    )
    refusal = None if reply[0] else Refusal(scopes[reply[1] - 1], LIMITS[reply[2] - 1], reply[3])
    return Admission(lease, scopes, input_tokens, output_tokens, reply[4], states, refusal)


def _steps(scopes: int) -> Iterable[int]:
    return range(5, 5 + 5 * scopes, 5)


def _done() -> asyncio.Future[Any]:
    future = asyncio.get_running_loop().create_future()
    future.set_result(None)
    return future


def _ignore(future: asyncio.Future[Any]) -> None:
    """A lease that could not be touched ends by its deadline; the outage itself is logged by the connection."""
    if not future.cancelled():
        future.exception()
