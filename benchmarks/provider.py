"""The scripted provider: `python -m benchmarks.provider`, on the listening socket that `GATEWAY_LISTEN_FD` names.

It answers POSTs with what `script.py` says, all of it made beforehand, so that it costs the machine as little
as a provider can: one search for the model's name, one write an answer or event.
"""

from __future__ import annotations

import asyncio
import os
import socket
from typing import cast

import msgspec
import uvloop

from benchmarks.script import SCRIPTS, Script

HEAD = (
    b"HTTP/1.1 200 OK\r\n"
    b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\n"
    b"request-id: req_011BenchBenchBenchBenchBe\r\n"
    b"anthropic-organization-id: 00000000-0000-4000-8000-000000000000\r\n"
    b"anthropic-ratelimit-requests-remaining: 3999\r\n"
    b"anthropic-ratelimit-tokens-remaining: 399000\r\n"
)


class Reply(msgspec.Struct, frozen=True):
    """The bytes of one answer, in the pieces in which they are written, `pace` seconds apart."""

    pieces: tuple[bytes, ...]
    pace: float


def reply_of(script: Script) -> Reply:
    if not script.streams:
        head = HEAD + b"content-type: application/json\r\ncontent-length: %d\r\n\r\n" % len(script.whole)
        return Reply((head + script.whole,), 0.0)
    head = (
        HEAD
        + b"content-type: text/event-stream; charset=utf-8\r\n"
        + b"cache-control: no-cache\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    pieces = [b"%x\r\n%b\r\n" % (len(event), event) for event in script.answer]
    pieces[0] = head + pieces[0]
    pieces[-1] += b"0\r\n\r\n"
    return Reply(tuple(pieces), script.pace)


REPLIES = {script.model.encode(): reply_of(script) for script in SCRIPTS.values()}
REFUSAL = b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"


class Conversation(asyncio.Protocol):
    """One connection, whose client sends the next request only when it has the answer."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._heard = b""
        self._left = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # a uvloop one does not inherit from it

    def connection_lost(self, exc: Exception | None) -> None:
        self._left = True

    def data_received(self, data: bytes) -> None:
        self._heard = self._heard + data if self._heard else data
        if _is_whole(self._heard):
            request, self._heard = self._heard, b""
            self._answer(request)

    def _answer(self, request: bytes) -> None:
        for model, reply in REPLIES.items():
            if model in request:
                self._send(reply, 0)
                return
        self._transport.write(REFUSAL)

    def _send(self, reply: Reply, position: int) -> None:
        if self._left:
            return
        self._transport.write(reply.pieces[position])
        position += 1
        if position == len(reply.pieces):
            return
        if reply.pace:
            self._loop.call_later(reply.pace, self._send, reply, position)
        else:
            self._loop.call_soon(self._send, reply, position)


def _is_whole(heard: bytes) -> bool:
    end = heard.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = heard[:end].lower()
    at = head.find(b"content-length:")
    if at < 0:
        return True
    stop = head.find(b"\r\n", at)
    length = int(head[at + 15 : stop if stop > 0 else end])
    return len(heard) >= end + 4 + length


async def serve(listener: socket.socket) -> None:
    server = await asyncio.get_running_loop().create_server(Conversation, sock=listener, backlog=2048)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(socket.socket(fileno=int(os.environ["GATEWAY_LISTEN_FD"]))))
