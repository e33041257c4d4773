"""Which providers are passed over for now: one circuit for each key of a provider and each model there.

    closed     attempts go there; half of at least 20 within 30 s failing opens it, and so does a `retry-after`
    open       nobody waits for it: other targets are tried
    half open  after the pause one attempt, of all processes, finds out whether it closes again

Each process decides by what it sees itself, without asking anybody. It tells Valkey what it saw, failures at once and
successes once a second, and hears in reply what all processes together have seen. While Valkey is away each
process goes on alone.
"""

from __future__ import annotations

import asyncio
import enum
import math
import time
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hiredis
import structlog

from gateway.circuit_names import SLICE_SECONDS, WINDOW_SECONDS, circuit_key
from gateway.valkey import Script, Valkey, ValkeyUnavailable

log = structlog.get_logger(__name__)

ENOUGH = 20  # attempts
OPEN_SECONDS = 10.0
LONGEST_REST_SECONDS = 300.0  # a provider may ask for hours; a probe finds out earlier
PROBE_SECONDS = 10.0
AGAIN_SECONDS = 0.5  # somebody else's probe is out: look again after this
REPORT_SECONDS = 1.0
CAPACITY = 4096

SCRIPTS = CIRCUIT, PROBE = tuple(
    Script(Path(__file__).parent / "scripts" / f"{name}.lua") for name in ("circuit", "probe")
)


class Gate(enum.Enum):
    CLOSED = "attempts go there"
    OPEN = "nobody goes there"
    HALF_OPEN = "one may look"


class Circuit:
    """One circuit as this process sees it. Times are those of `time.monotonic`."""

    __slots__ = ("answered", "failed", "failures", "name", "open_until", "successes")

    def __init__(self, name: str) -> None:
        self.name = name
        self.open_until = 0.0  # 0: closed
        self.successes: dict[int, int] = {}
        self.failures: dict[int, int] = {}
        self.answered = 0  # successes that nobody was told of yet
        self.failed = 0

    def gate(self, now: float) -> Gate:
        if not self.open_until:
            return Gate.CLOSED
        return Gate.OPEN if now < self.open_until else Gate.HALF_OPEN

    def take(self, now: float) -> tuple[int, int]:
        """Successes and failures that nobody was told of; from here on they stand in their slices."""
        taken = self.answered, self.failed
        self.answered = self.failed = 0
        at = int(now / SLICE_SECONDS)
        for counts, number in zip((self.successes, self.failures), taken, strict=True):
            counts[at] = counts.get(at, 0) + number
            if len(counts) > WINDOW_SECONDS / SLICE_SECONDS:
                del counts[min(counts)]
        return taken

    def fails(self, now: float) -> bool:
        """Whether half of enough attempts failed lately."""
        oldest = int(now / SLICE_SECONDS) - WINDOW_SECONDS / SLICE_SECONDS + 1
        bad = self.failed + sum(count for at, count in self.failures.items() if at >= oldest)
        good = self.answered + sum(count for at, count in self.successes.items() if at >= oldest)
        return good + bad >= ENOUGH and 2 * bad >= good + bad

    def forget(self) -> None:
        self.answered = self.failed = 0
        self.successes.clear()
        self.failures.clear()


class Circuits:
    """All circuits of this process, by a name that says provider, key and model."""

    def __init__(self, valkey: Valkey, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._valkey = valkey
        self._clock = clock
        self._circuits: OrderedDict[str, Circuit] = OrderedDict()
        self._timer: asyncio.TimerHandle | None = None

    def stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()

    @property
    def open(self) -> int:
        """How many are open or half open."""
        return sum(1 for circuit in self._circuits.values() if circuit.open_until)

    def gate(self, name: str) -> Gate:
        """Whether attempts go there; costs no I/O."""
        circuit = self._circuits.get(name)
        return Gate.CLOSED if circuit is None else circuit.gate(self._clock())

    async def may_probe(self, name: str) -> bool:
        """Of a half open circuit: whether this attempt is the one that looks. Of all processes one gets a yes."""
        circuit = self._circuit(name)
        now = self._clock()
        if circuit.gate(now) is not Gate.HALF_OPEN:
            return circuit.gate(now) is Gate.CLOSED
        circuit.open_until = now + PROBE_SECONDS  # whoever comes meanwhile finds it open
        try:
            reply = await self._valkey.call(PROBE, [circuit_key(name)], [round(PROBE_SECONDS * 1000)])
        except (ValkeyUnavailable, hiredis.ReplyError):
            return True
        if not reply[0]:
            circuit.open_until = self._clock() + (reply[1] / 1000 or AGAIN_SECONDS)
        return bool(reply[0])

    def succeeded(self, name: str) -> None:
        """An attempt was answered (a refusal of the caller's own mistake is an answer too)."""
        circuit = self._circuits.get(name) or self._circuit(name)
        if circuit.open_until:
            circuit.open_until = 0.0
            circuit.forget()
            log.warning("circuit_closed", circuit=name)
            self._tell(circuit, healed=True)
            return
        circuit.answered += 1
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(REPORT_SECONDS, self._report_all)

    def failed(self, name: str, *, retry_after: float | None = None) -> None:
        """An attempt failed by the provider's fault; `retry_after` is what it asked for, in seconds."""
        circuit = self._circuit(name)
        now = self._clock()
        circuit.failed += 1
        too_many = circuit.fails(now)
        told = circuit.take(now)
        rest = min(retry_after or 0.0, LONGEST_REST_SECONDS)
        if rest > 0:
            self._open(circuit, rest, "the provider asked for it")
        elif circuit.open_until:  # the probe failed
            circuit.open_until = now + OPEN_SECONDS
        elif too_many:
            self._open(circuit, OPEN_SECONDS, "too many attempts failed")
        self._tell(circuit, told, rest=rest)

    def _circuit(self, name: str) -> Circuit:
        circuit = self._circuits.get(name)
        if circuit is None:
            circuit = self._circuits[name] = Circuit(name)
            if len(self._circuits) > CAPACITY:
                self._circuits.popitem(last=False)
        return circuit

    def _open(self, circuit: Circuit, seconds: float, why: str) -> None:
        if not circuit.open_until:
            log.warning("circuit_opened", circuit=circuit.name, seconds=round(seconds, 1), why=why)
        circuit.open_until = max(circuit.open_until, self._clock() + seconds)
        circuit.forget()

    def _report_all(self) -> None:
        self._timer = None
        for circuit in self._circuits.values():
            if circuit.answered:
                self._tell(circuit, circuit.take(self._clock()))

    def _tell(
        self, circuit: Circuit, counts: tuple[int, int] = (0, 0), *, rest: float = 0.0, healed: bool = False
    ) -> None:
        """Report what was not reported yet; the reply comes when it comes."""
        arguments = [*counts, math.ceil(rest * 1000), int(healed)]
        rule = [round(WINDOW_SECONDS * 1000), round(SLICE_SECONDS * 1000), ENOUGH, round(OPEN_SECONDS * 1000)]
        reply = self._valkey.call(CIRCUIT, [circuit_key(circuit.name)], [*arguments, *rule])
        reply.add_done_callback(lambda future: self._heard(circuit, future))

    def _heard(self, circuit: Circuit, reply: asyncio.Future[Any]) -> None:
        """What all processes know: a circuit that is open for others is open here."""
        if reply.cancelled() or reply.exception() is not None:
            return  # Valkey is away, and says so itself
        remaining = reply.result()[0] / 1000
        if remaining > 0 and self._clock() + remaining > circuit.open_until:
            self._open(circuit, remaining, "it is open for all processes")
