"""A client that sees what is really on the wire: bytes, their times, and how a connection ends."""

from __future__ import annotations

import asyncio
import contextlib
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

Headers = Sequence[tuple[str, str]]


@dataclass
class Answer:
    """One answer. `complete`: the body ended as its framing announced. Times are `time.monotonic`."""

    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""
    arrivals: list[tuple[float, bytes]] = field(default_factory=list)
    complete: bool = False
    asked_at: float = 0
    head_at: float = 0
    ended_at: float = 0

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def took(self) -> float:
        """Seconds from the request's last byte to the answer's."""
        return self.ended_at - self.asked_at

    def header(self, name: str) -> str | None:
        values = [value for key, value in self.headers if key == name]
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None

    def arrived(self, part: bytes) -> float:
        """When `part` had come in completely."""
        seen = b""
        for at, data in self.arrivals:
            seen += data
            if part in seen:
                return at
        raise AssertionError(f"{part!r} never came, only {seen[:500]!r}")


def request(method: str, target: str, headers: Headers, body: bytes = b"", *, length: bool = True) -> bytes:
    """A request as bytes; `length` adds a Content-Length where there is a body or the method has one."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers)]
    if not any(name.lower() == "host" for name, _ in headers):
        lines.append("Host: 127.0.0.1")
    if length and (body or method in ("POST", "PUT", "PATCH")):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


class Wire:
    """One connection. `ask` sends a request and reads the answer; `leave` closes, `reset` aborts."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def connect(cls, port: int, *, source: str = "127.0.0.1") -> Wire:
        """`source` is the address to come from: any 127.x.y.z."""
        return cls(*await asyncio.open_connection("127.0.0.1", port, limit=1 << 26, local_addr=(source, 0)))

    @property
    def port(self) -> int:
        """Ours, by which the other side knows this connection."""
        return int(self._writer.get_extra_info("sockname")[1])

    async def ask(self, raw: bytes, within: float = 15) -> Answer:
        async with asyncio.timeout(within):
            await self.send(raw)
            return await self.read(head_only=raw.startswith(b"HEAD "))

    async def send(self, raw: bytes) -> None:
        self._writer.write(raw)
        with contextlib.suppress(ConnectionError):  # an early refusal; the answer is still to be read
            await self._writer.drain()

    async def read(self, *, head_only: bool = False) -> Answer:
        answer = Answer(asked_at=time.monotonic())
        await self.read_into(answer, head_only=head_only)
        answer.ended_at = time.monotonic()
        return answer

    async def read_into(self, answer: Answer, *, head_only: bool = False) -> None:
        """As `read`, for who wants to see what had come when that fails."""
        await self.read_head(answer)
        if not head_only:
            await self._read_body(answer)

    async def read_head(self, answer: Answer) -> None:
        """Status and headers, informational answers skipped."""
        while answer.status < 200:
            first, *lines = (await self._reader.readuntil(b"\r\n\r\n"))[:-4].decode("latin-1").split("\r\n")
            answer.status = int(first.split(" ")[1])
            answer.headers = [
                (name.lower(), value.strip()) for name, _, value in (line.partition(":") for line in lines)
            ]
        answer.head_at = time.monotonic()

    async def read_until(self, answer: Answer, part: bytes) -> None:
        """Read chunks of a chunked body until `part` is in it."""
        while part not in answer.body:
            assert await self._read_chunk(answer), f"the body ended without {part!r}"

    async def _read_body(self, answer: Answer) -> None:
        if answer.header("transfer-encoding") == "chunked":
            with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
                while await self._read_chunk(answer):
                    pass
            return
        length = answer.header("content-length")
        assert length is not None or answer.header("connection") == "close", "a body without framing"
        wanted = int(length) if length is not None else -1
        while wanted != len(answer.body) and (data := await self._reader.read(65_536)):
            _note(answer, data)
        answer.complete = wanted in (-1, len(answer.body))

    async def _read_chunk(self, answer: Answer) -> bool:
        """Read one chunk; False after the last one."""
        size = int((await self._reader.readuntil(b"\r\n"))[:-2], 16)
        data = (await self._reader.readexactly(size + 2))[:-2]
        if size == 0:
            answer.complete = True
            return False
        _note(answer, data)
        return True

    def leave(self) -> None:
        self._writer.close()

    def reset(self) -> None:
        self._writer.transport.abort()


def _note(answer: Answer, data: bytes) -> None:
    answer.body += data
    answer.arrivals.append((time.monotonic(), data))


async def ask(port: int, raw: bytes, within: float = 15, *, source: str = "127.0.0.1") -> Answer:
    """One request on a connection of its own."""
    wire = await Wire.connect(port, source=source)
    try:
        return await wire.ask(raw, within)
    finally:
        wire.leave()


async def ask_all(port: int, raws: Sequence[bytes], *, at_once: int = 32) -> list[Answer]:
    """Many requests, `at_once` of them side by side; each lane keeps its connection while it may."""
    answers: list[Answer | None] = [None] * len(raws)
    waiting = iter(enumerate(raws))

    async def lane() -> None:
        wire = await Wire.connect(port)
        for position, raw in waiting:
            try:
                answer = await wire.ask(raw)
            except (asyncio.IncompleteReadError, ConnectionError):
                wire.leave()
                wire = await Wire.connect(port)
                answer = await wire.ask(raw)
            answers[position] = answer
            if not answer.complete or answer.header("connection") == "close":
                wire.leave()
                wire = await Wire.connect(port)
        wire.leave()

    await asyncio.gather(*(lane() for _ in range(at_once)))
    return [answer for answer in answers if answer is not None]
