"""The load generator: `python -m benchmarks.load`, an `Order` on standard input, an `Outcome` on standard output.

Closed loop: each connection sends its next request when it has the whole answer to the last. What is under way
when the time is up is finished and counted. Every answer is compared byte by byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import sys
import time
from collections import Counter
from typing import cast

import msgspec
import uvloop

from benchmarks.meter import Meter, Reading
from benchmarks.script import MESSAGE_ID, SCRIPTS, Script
from gateway.protocol.anthropic.fold import StreamedFailure, message_of
from gateway.protocol.anthropic.relay import MalformedStream

PATIENCE_SECONDS = 20.0
LAST_CHUNK = b"0\r\n\r\n"


class Order(msgspec.Struct, frozen=True):
    """Load for `seconds`, or until `most_requests` were sent.

    `stagger` spreads the first requests of the connections over so many seconds, since streams of one length
    that begin together go on beginning together.
    """

    script: str
    port: int
    key: str
    connections: int
    seconds: float
    worker: int
    company: int
    cores: list[int]
    stagger: float = 0.0
    most_requests: int = 0


class Quantiles(msgspec.Struct, frozen=True):
    p50: float
    p99: float


class Outcome(msgspec.Struct, frozen=True):
    """Times in milliseconds. `faults` counts answers that were not as scripted, by what was wrong."""

    requests: int
    events: int
    seconds: float
    whole_ms: Quantiles
    first_ms: Quantiles
    faults: dict[str, int]
    before: Reading
    after: Reading


async def load(order: Order) -> Outcome:
    """Connect everything, read the meter, load, read the meter."""
    meter = Meter(worker=order.worker, company=order.company, cores=order.cores)
    run = Run(order, SCRIPTS[order.script])
    callers = [Caller(run) for _ in range(order.connections)]
    await asyncio.gather(*[caller.connect() for caller in callers])
    gc.collect()
    gc.freeze()
    gc.disable()
    before = meter.before()
    await run.until_done(callers)
    return run.outcome(before, meter.after())


class Run:
    """What the callers of one load share: the request, what is expected back, and what was seen."""

    def __init__(self, order: Order, script: Script) -> None:
        self.port = order.port
        self.request = _request(order, script)
        self.script = script
        self.expected = b"" if script.translated else script.whole
        self.whole: list[float] = []
        self.first: list[float] = []
        self.faults: Counter[str] = Counter()
        self._order = order
        self._sent = 0
        self._stop_at = 0.0
        self._ended_at = 0.0

    def accepts(self, answer: bytes) -> bool:
        """Whether this is the answer: the provider's own bytes or, translated, a twin of the first right one."""
        if not self.script.translated:
            return answer == self.expected
        twin = _without_id(answer)
        if not self.expected and _text(answer, self.script.streams) == self.script.text:
            self.expected = twin
        return twin == self.expected

    @property
    def over(self) -> bool:
        """Whether no further request is to be sent; asking counts one that is."""
        most = self._order.most_requests
        if (most and self._sent >= most) or time.perf_counter() >= self._stop_at:
            return True
        self._sent += 1
        return False

    async def until_done(self, callers: list[Caller]) -> None:
        loop = asyncio.get_running_loop()
        self._stop_at = time.perf_counter() + self._order.seconds
        for number, caller in enumerate(callers):
            loop.call_later(self._order.stagger * number / len(callers), caller.begin)
        done = [caller.done for caller in callers]
        _, hung = await asyncio.wait(done, timeout=self._order.seconds + PATIENCE_SECONDS)
        self._ended_at = time.perf_counter()
        if hung:
            self.faults["no end of the answer"] += len(hung)

    def outcome(self, before: Reading, after: Reading) -> Outcome:
        return Outcome(
            requests=len(self.whole),
            events=len(self.whole) * self.script.events,
            seconds=self._ended_at - before.wall,
            whole_ms=_quantiles(self.whole),
            first_ms=_quantiles(self.first),
            faults=dict(self.faults),
            before=before,
            after=after,
        )


class Caller(asyncio.Protocol):
    """One connection. `done` is set when it has nothing more to send."""

    def __init__(self, run: Run) -> None:
        self._run = run
        self._heard: list[bytes] = []
        self._waiting = False
        self._sent_at = 0.0
        self._first_at = 0.0
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    async def connect(self) -> None:
        await asyncio.get_running_loop().create_connection(lambda: self, "127.0.0.1", self._run.port)

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # a uvloop one does not inherit from it

    def begin(self) -> None:
        if self._run.over:
            self._finish()
            return
        self._heard.clear()
        self._first_at = 0.0
        self._waiting = True
        self._sent_at = time.perf_counter()
        self._transport.write(self._run.request)

    def data_received(self, data: bytes) -> None:
        self._heard.append(data)
        if self._run.script.streams:
            if not self._first_at and b"event: " in data:
                self._first_at = time.perf_counter()
            if data.endswith(LAST_CHUNK) or not self._first_at:
                self._judge_stream()
        else:
            self._judge_json()

    def connection_lost(self, exc: Exception | None) -> None:
        if self._waiting:
            self._fault("connection closed")

    def _judge_json(self) -> None:
        heard = self._heard[0] if len(self._heard) == 1 else b"".join(self._heard)
        end = heard.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        if heard[9:12] != b"200":
            self._fault(_status(heard))
        elif len(heard) - end >= _length(heard[:end]):
            self._accept(heard[end:])

    def _judge_stream(self) -> None:
        heard = b"".join(self._heard)
        end = heard.find(b"\r\n\r\n") + 4
        if end < 4:
            return
        if heard[9:12] != b"200":
            self._fault(_status(heard))
        elif self._first_at:
            self._accept(_unchunked(heard[end:]))

    def _accept(self, answer: bytes) -> None:
        now = time.perf_counter()
        if not self._run.accepts(answer):
            self._fault("not the provider's answer")
            return
        self._run.whole.append(now - self._sent_at)
        if self._first_at:
            self._run.first.append(self._first_at - self._sent_at)
        self._waiting = False
        self.begin()

    def _fault(self, what: str) -> None:
        """One fault ends a connection's part, so that a broken gateway is not taken for a fast one."""
        self._run.faults[what] += 1
        self._finish()

    def _finish(self) -> None:
        self._waiting = False
        self._transport.close()
        if not self.done.done():
            self.done.set_result(None)


def _request(order: Order, script: Script) -> bytes:
    head = (
        "POST /v1/messages HTTP/1.1\r\n"
        f"host: 127.0.0.1:{order.port}\r\n"
        "content-type: application/json\r\n"
        "accept: application/json\r\n"
        f"x-api-key: {order.key}\r\n"
        "anthropic-version: 2023-06-01\r\n"
        "user-agent: benchmark\r\n"
        f"content-length: {len(script.request)}\r\n\r\n"
    )
    return head.encode() + script.request


def _without_id(answer: bytes) -> bytes:
    """The gateway's ids of translated messages are new each time."""
    at = answer.find(b"msg_01")
    return answer[:at] + answer[at + len(MESSAGE_ID) :]


def _text(answer: bytes, streamed: bool) -> str:
    """The text that an answer tells; nothing where it is none."""
    try:
        message = json.loads(message_of(answer) if streamed else answer)
        return "".join(block["text"] for block in message["content"])
    except (ValueError, KeyError, MalformedStream, StreamedFailure):
        return ""


def _status(heard: bytes) -> str:
    return f"status {heard[9:12].decode('latin-1')}"


def _length(head: bytes) -> int:
    """What `content-length` says; an answer without one is taken as whole, and fails the comparison."""
    head = head.lower()
    at = head.find(b"content-length:")
    return int(head[at + 15 : head.find(b"\r\n", at)]) if at >= 0 else 0


def _unchunked(body: bytes) -> bytes:
    """The payload of a chunked body; what is not one gives b""."""
    parts: list[bytes] = []
    at = 0
    with contextlib.suppress(ValueError):
        while True:
            line_end = body.index(b"\r\n", at)
            size = int(body[at:line_end], 16)
            if not size:
                return b"".join(parts)
            parts.append(body[line_end + 2 : line_end + 2 + size])
            at = line_end + size + 4
    return b""


def _quantiles(seconds: list[float]) -> Quantiles:
    if not seconds:
        return Quantiles(0.0, 0.0)
    ordered = sorted(seconds)
    last = len(ordered) - 1
    return Quantiles(*(ordered[min(last, int(len(ordered) * share))] * 1000 for share in (0.5, 0.99)))


if __name__ == "__main__":
    wish = msgspec.json.decode(sys.stdin.buffer.read(), type=Order)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(load(wish))))
