"""A proxy that stands before a server (TCP or unix socket) and misbehaves as it is told, at once.

    with FaultProxy("127.0.0.1:5432") as proxy:
        proxy.behave(latency=0.1)             # seconds, both ways
        proxy.behave(rate=10_000)             # bytes per second, towards the client
        proxy.behave(silent=True)             # accepts and reads nothing further: what is sent waits
        proxy.behave(black_hole=True)         # accepts, reads all and forwards nothing: what is sent is gone
        proxy.behave(corrupt=1000)            # flips a bit in one byte of about so many, towards the client
        proxy.behave(cut_after=100, how="reset")    # after so many bytes towards the client
        proxy.behave(refuse=True)             # closes what is open and listens no more
        proxy.behave()                        # healthy again

`how` is `close`, `reset` or `half_close`. New behaviour holds for open connections too.
"""

from __future__ import annotations

import asyncio
import random
import socket
import struct
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Literal

from tests.event_loop_thread import EventLoopThread

How = Literal["close", "reset", "half_close"]


@dataclass(frozen=True)
class Behaviour:
    latency: float = 0
    rate: float = 0
    silent: bool = False
    black_hole: bool = False
    corrupt: int = 0
    refuse: bool = False
    cut_after: int | None = None
    how: How = "close"


class FaultProxy:
    """Forwards to `target` (`host:port`, or the path of a unix socket) from `address`, of the same family."""

    def __init__(self, target: str, *, listen: str = "127.0.0.1:0", seed: int = 1) -> None:
        self._target = target
        self._listen = listen
        self._behaviour = Behaviour()
        self._chance = random.Random(seed)
        self._writers: set[asyncio.StreamWriter] = set()
        self._audible = asyncio.Event()
        self._audible.set()
        self.connections = 0

    @property
    def address(self) -> str:
        """Where clients connect: `host:port`, or the path of a unix socket."""
        return self._listen

    @property
    def port(self) -> int:
        return int(self._listen.rpartition(":")[2])

    def behave(
        self,
        *,
        latency: float = 0,
        rate: float = 0,
        silent: bool = False,
        black_hole: bool = False,
        corrupt: int = 0,
        refuse: bool = False,
        cut_after: int | None = None,
        how: How = "close",
    ) -> None:
        """Behave like this from now on, for open and for new connections."""
        self._behaviour = Behaviour(latency, rate, silent, black_hole, corrupt, refuse, cut_after, how)
        self._thread.run(self._apply())

    def cut(self, how: How = "close") -> None:
        """End every open connection now."""
        self._thread.run(self._cut_all(how))

    def __enter__(self) -> FaultProxy:
        self._thread = EventLoopThread("faults")
        self._thread.run(self._open())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.run(self._shut())
        self._thread.stop()
        if "/" in self._listen:
            Path(self._listen).unlink(missing_ok=True)

    async def _apply(self) -> None:
        if self._behaviour.silent:
            self._audible.clear()
        else:
            self._audible.set()
        if self._behaviour.refuse:
            await self._shut()
        elif self._server is None:
            await self._open()

    async def _open(self) -> None:
        if "/" in self._listen:
            self._server: asyncio.Server | None = await asyncio.start_unix_server(self._serve, self._listen)
            return
        host, _, port = self._listen.rpartition(":")
        self._server = await asyncio.start_server(self._serve, host, int(port), reuse_address=True)
        self._listen = f"{host}:{self._server.sockets[0].getsockname()[1]}"

    async def _shut(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        await self._cut_all("close")

    async def _cut_all(self, how: How) -> None:
        for writer in list(self._writers):
            _end(writer, how)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.add(writer)
        there: asyncio.StreamWriter | None = None
        try:
            back, there = await self._dial()
            self._writers.add(there)
            await asyncio.gather(
                self._forward(reader, there, to_client=False), self._forward(back, writer, to_client=True)
            )
        except (OSError, asyncio.CancelledError):
            pass  # either side or the proxy itself is gone; both connections are closed below
        finally:
            for end in (writer, there):
                if end is not None:
                    self._writers.discard(end)
                    end.close()

    async def _dial(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if "/" in self._target:
            return await asyncio.open_unix_connection(self._target)
        host, _, port = self._target.rpartition(":")
        return await asyncio.open_connection(host, int(port))

    async def _forward(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, to_client: bool
    ) -> None:
        sent = 0
        while data := await source.read(65_536):
            await self._audible.wait()
            if self._behaviour.black_hole:
                continue
            if to_client and self._behaviour.corrupt:
                data = self._corrupted(data)
            if self._behaviour.latency:
                await asyncio.sleep(self._behaviour.latency)
            limit = self._behaviour.cut_after if to_client else None
            part = data if limit is None else data[: max(0, limit - sent)]
            await self._pass_on(part, sink, self._behaviour.rate if to_client else 0)
            sent += len(part)
            if limit is not None and sent >= limit:
                _end(sink, self._behaviour.how)
                return
        if sink.can_write_eof() and not sink.is_closing():
            sink.write_eof()

    def _corrupted(self, data: bytes) -> bytes:
        """One bit of each byte that chance picks is another."""
        share = 1 / self._behaviour.corrupt
        return bytes(
            byte ^ 1 << self._chance.randrange(8) if self._chance.random() < share else byte for byte in data
        )

    async def _pass_on(self, data: bytes, sink: asyncio.StreamWriter, rate: float) -> None:
        step = max(1, int(rate / 50)) if rate else len(data) or 1
        for start in range(0, len(data), step):
            sink.write(data[start : start + step])
            await sink.drain()
            if rate:
                await asyncio.sleep(step / rate)


def _end(writer: asyncio.StreamWriter, how: How) -> None:
    if writer.is_closing():
        return
    if how == "half_close":
        writer.write_eof()
        return
    if how == "reset":
        linger = struct.pack("ii", 1, 0)
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    writer.transport.abort()
