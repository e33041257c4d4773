"""A provider that does what a test tells it, on real sockets, and remembers every byte it was sent.

    with Upstream() as upstream:
        name = upstream.script(reply(529, error("overloaded_error", "Busy")))
        ...                                     # send a request that holds `name` anywhere in head or body
        (received,) = upstream.received(name)

The script's name travels in the request (in a message's text, in `metadata`, in an `anthropic-*` header),
so that tests running side by side do not disturb each other. A request without a name gets `DEFAULT`. A
script is a list of steps that are taken once the whole request has been read; a name may be used many times.
Where the answer depends on the request, `answered_by` takes a function that writes the script for each.
"""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import itertools
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any

from tests import openai_provider
from tests.event_loop_thread import EventLoopThread


@dataclass(frozen=True)
class Send:
    """Put bytes on the wire as they are."""

    raw: bytes


@dataclass(frozen=True)
class Pause:
    """Say nothing for a while."""

    seconds: float


@dataclass(frozen=True)
class Hang:
    """Say nothing more until the other side closes."""


@dataclass(frozen=True)
class Close:
    """Close the connection in an orderly way."""


@dataclass(frozen=True)
class Reset:
    """Close the connection with RST (SO_LINGER 0)."""


@dataclass(frozen=True)
class HalfClose:
    """Shut down the sending side and go on reading."""


Step = Send | Pause | Hang | Close | Reset | HalfClose
Script = list[Step]
Event = dict[str, Any]

USAGE = {
    "input_tokens": 25,
    "cache_creation_input_tokens": 0,
    "cache_read_input_tokens": 0,
    "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
    "output_tokens": 12,
    "service_tier": "standard",
}
PROVIDER_HEADERS = (
    ("request-id", "req_of_the_provider"),
    ("anthropic-organization-id", "organization-of-the-provider"),
    ("anthropic-ratelimit-requests-limit", "4000"),
    ("anthropic-ratelimit-requests-remaining", "3999"),
    ("anthropic-ratelimit-requests-reset", "2030-01-01T00:00:00Z"),
    ("anthropic-ratelimit-tokens-limit", "123456"),
    ("anthropic-ratelimit-unified-status", "allowed"),
    ("anthropic-priority-input-tokens-limit", "777"),
    ("x-envoy-upstream-service-time", "12"),
    ("set-cookie", "provider=1"),
)


# --- Answers -----------------------------------------------------------------------------------------------


def reply(
    status: int, body: Any, *headers: tuple[str, str], content_type: str = "application/json"
) -> Script:
    """A whole answer with a length; `body` is bytes, or a value that becomes JSON."""
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return [Send(head(status, ("content-length", str(len(raw))), *headers, content_type=content_type) + raw)]


def streamed(
    parts: Iterable[bytes], *headers: tuple[str, str], delay: float = 0, status: int = 200
) -> Script:
    """A chunked event stream: each part is one chunk, `delay` seconds before each but the first."""
    steps: Script = [Send(stream_head(*headers, status=status))]
    for position, part in enumerate(parts):
        if position and delay:
            steps.append(Pause(delay))
        steps.append(Send(chunk(part)))
    return [*steps, Send(LAST_CHUNK)]


def head(status: int, *headers: tuple[str, str], content_type: str | None = "application/json") -> bytes:
    """The beginning of an answer, with the headers that a provider sends and a tenant must not see."""
    typed = [("content-type", content_type)] if content_type else []
    lines = "".join(f"{name}: {value}\r\n" for name, value in [*typed, *PROVIDER_HEADERS, *headers])
    return f"HTTP/1.1 {status} Scripted\r\n{lines}\r\n".encode()


def stream_head(*headers: tuple[str, str], status: int = 200) -> bytes:
    chunked = ("transfer-encoding", "chunked")
    return head(status, chunked, *headers, content_type="text/event-stream; charset=utf-8")


def chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data) if data else b""


LAST_CHUNK = b"0\r\n\r\n"


def message(text: str = "Hello from the provider.", **fields: Any) -> Event:
    """A Message as a provider answers it."""
    return {
        "id": "msg_01Provider",
        "type": "message",
        "role": "assistant",
        "model": "upstream-model",
        "content": [{"type": "text", "text": text}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": USAGE,
        **fields,
    }


def events(
    text: Sequence[str] = ("Hello", " from", " the", " provider."), usage: Event | None = None
) -> list[Event]:
    """The events of a text answer, with a ping."""
    spent = usage or USAGE
    opening = message(content=[], stop_reason=None, usage={**spent, "output_tokens": 1})
    deltas = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": part}}
        for part in text
    ]
    return [
        {"type": "message_start", "message": opening},
        {"type": "ping"},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *deltas,
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn", "stop_sequence": None},
            "usage": {"output_tokens": spent["output_tokens"]},
        },
        {"type": "message_stop"},
    ]


def frame(event: Event) -> bytes:
    return f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode()


def frames(several: Iterable[Event] | None = None) -> list[bytes]:
    return [frame(event) for event in (events() if several is None else several)]


def error(kind: str, text: str) -> Event:
    """An error as Anthropic words it."""
    return {"type": "error", "error": {"type": kind, "message": text}, "request_id": "req_of_the_provider"}


def gzip_bomb(megabytes: int) -> bytes:
    """A small body that becomes a large one."""
    return gzip.compress(b'{"padding": "' + b" " * (megabytes << 20) + b'"}')


# --- The server --------------------------------------------------------------------------------------------


@dataclass
class Received:
    """One request as it came in; `closed` is set, with the time, once the other side has closed."""

    method: str
    target: str
    headers: list[tuple[str, str]]
    body: bytes
    script: str
    connection: int
    at: float = field(default_factory=time.monotonic)
    closed_at: float | None = None
    finished_at: float | None = None
    closed: threading.Event = field(default_factory=threading.Event)
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    def header(self, name: str) -> str | None:
        """The only value of a header; raises when it came more than once."""
        values = [value for key, value in self.headers if key.lower() == name]
        assert len(values) < 2, f"{name} came {len(values)} times"
        return values[0] if values else None

    @property
    def json(self) -> Any:
        return json.loads(self.body)


DEFAULT = "the default"
_NAME = re.compile(rb"script-\d+-")


class Upstream:
    """The server, in a thread of its own; use it in a `with`."""

    def __init__(self) -> None:
        self.log: list[Received] = []
        self._scripts: dict[str, Callable[[Received], Script | None]] = {}
        self._numbers = itertools.count(1)
        self._connections = itertools.count(1)
        self._arrived = threading.Condition()

    def script(self, *parts: Script | Step) -> str:
        """Register a script and return the name that makes a request play it."""
        steps = [step for part in parts for step in (part if isinstance(part, list) else [part])]
        return self.answered_by(lambda request: steps)

    def scripts(self, by_address: dict[str, Script]) -> str:
        """As `script`, with one script for each beginning of the address: several providers on one server."""
        return self.answered_by(
            lambda request: next(
                (steps for start, steps in by_address.items() if request.target.startswith(start)), None
            )
        )

    def answered_by(self, script_of: Callable[[Received], Script | None]) -> str:
        """Register a function that writes the script of each request, and return the name that asks for it."""
        name = f"script-{next(self._numbers)}-"
        self._scripts[name] = script_of
        return name

    def received(self, script: str, count: int | None = None, timeout: float = 3) -> list[Received]:
        """The requests that named this script so far; with `count`, once there are that many."""
        with self._arrived:
            if count is not None:
                enough = self._arrived.wait_for(lambda: len(self._named(script)) >= count, timeout)
                assert enough, f"{len(self._named(script))} requests came, not {count}"
            return self._named(script)

    def _named(self, script: str) -> list[Received]:
        return [request for request in self.log if request.script == script]

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Upstream:
        self._thread = EventLoopThread("upstream")
        self._server = self._thread.run(self._listen())
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._thread.loop.call_soon_threadsafe(self._server.close)
        self._thread.stop()

    async def _listen(self) -> asyncio.Server:
        loop = asyncio.get_running_loop()
        return await loop.create_server(
            lambda: asyncio.StreamReaderProtocol(_Reader(limit=1 << 26, loop=loop), self._serve, loop=loop),
            "127.0.0.1",
            0,
            backlog=512,
        )

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert isinstance(reader, _Reader)
        connection = next(self._connections)
        try:
            while request := await _read_request(reader, connection):
                reader.request = request
                with self._arrived:
                    self.log.append(request)
                    self._arrived.notify_all()
                script_of = self._scripts.get(request.script, _default)
                goes_on = await _take(script_of(request) or _default(request), request, writer)
                request.finished_at = time.monotonic()
                if not goes_on:
                    return
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass  # the other side is gone, and `closed_at` says when; or the test run ends
        finally:
            writer.close()


class _Reader(asyncio.StreamReader):
    """Notes on the request at hand when the other side stops sending."""

    request: Received | None = None

    def feed_eof(self) -> None:
        super().feed_eof()
        self._note()

    def set_exception(self, exc: Exception) -> None:
        super().set_exception(exc)
        self._note()

    def _note(self) -> None:
        if self.request is not None and self.request.closed_at is None:
            self.request.closed_at = time.monotonic()
            self.request.closed.set()
            self.request.gone.set()


async def _take(steps: Script, request: Received, writer: asyncio.StreamWriter) -> bool:
    """Take the steps of a script; True when the connection may be used again."""
    for step in steps:
        match step:
            case Send(raw):
                writer.write(raw)
                await writer.drain()
            case Pause(seconds):
                await _until_gone(request, seconds)
            case Hang():
                await _until_gone(request, 60)
                return False
            case HalfClose():
                writer.write_eof()
            case Reset():
                linger = struct.pack("ii", 1, 0)
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
                writer.transport.abort()
                return False
            case Close():
                return False
        if request.closed_at is not None:
            return False
    return True


async def _until_gone(request: Received, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await request.gone.wait()


async def _read_request(reader: asyncio.StreamReader, connection: int) -> Received | None:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = raw[:-4].decode("latin-1").split("\r\n")
    headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in lines)]
    fields = {name.lower(): value for name, value in headers}
    if fields.get("transfer-encoding", "").lower() == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(fields.get("content-length", 0)))
    named = _NAME.search(body) or _NAME.search(raw)
    method, target, _ = first.split(" ")
    return Received(method, target, headers, body, named[0].decode() if named else DEFAULT, connection)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        body += (await reader.readexactly(size + 2))[:-2]
    await reader.readuntil(b"\r\n")
    return body


def _default(request: Received) -> Script:
    """What a healthy provider answers."""
    if request.target.partition("?")[0].endswith("/count_tokens"):
        return reply(200, {"input_tokens": 42})
    streams = re.search(rb'"stream"\s*:\s*true', request.body) is not None
    if request.target.endswith("/chat/completions"):
        return streamed(openai_provider.frames()) if streams else reply(200, openai_provider.completion())
    return streamed(frames()) if streams else reply(200, message())
