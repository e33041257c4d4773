"""HTTP to providers: one pooled client, one attempt a call, every failure one of three kinds."""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator

import aiohttp
import httpx
from aiohttp.http import HttpProcessingError

from gateway.upstreams.transport import AiohttpTransport, Destination, ReplyStream

LOOK_SECONDS = 1.0  # how often a silent connection is looked at


class Kind(enum.Enum):
    CONNECT = "the provider could not be reached"
    TIMEOUT = "the provider did not answer in time"
    BROKEN = "the provider closed the connection before its answer was complete"


class UpstreamFailure(Exception):
    """An attempt that brought no answer, or only part of one."""

    def __init__(self, kind: Kind, detail: str = "") -> None:
        super().__init__(f"{kind.value}: {detail}" if detail else kind.value)
        self.kind = kind


_BREAKS = (aiohttp.ClientError, HttpProcessingError, OSError)  # a TimeoutError is an OSError too


class Reply:
    """A provider's answer whose head has come. Read it to the end or `abort` it."""

    __slots__ = ("_stream", "headers", "status")

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        assert isinstance(response.stream, ReplyStream)
        self.headers: list[tuple[bytes, bytes]] = response.stream.headers
        self._stream = response.stream

    async def read(self, seconds: float) -> bytes:
        """The next bytes as soon as there are any, b"" at the end; raises `UpstreamFailure`."""
        try:
            come = self._stream.read_what_came()
        except _BREAKS as problem:
            raise _failure(problem, "") from problem
        return await self._wait(seconds) if come is None else come

    async def read_all(self, limit: int, seconds: float) -> bytes:
        """The whole rest within `seconds`; raises `UpstreamFailure`, also beyond `limit` bytes."""
        parts, size = [], 0
        deadline = asyncio.get_running_loop().time() + seconds
        while chunk := await self.read(deadline - asyncio.get_running_loop().time()):
            size += len(chunk)
            if size > limit:
                raise UpstreamFailure(Kind.BROKEN, f"an answer of more than {limit} bytes")
            parts.append(chunk)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    async def _wait(self, seconds: float) -> bytes:
        waited = 0.0
        while True:
            try:
                async with asyncio.timeout(min(LOOK_SECONDS, seconds - waited)):
                    return await self._stream.read()
            except TimeoutError:
                waited += LOOK_SECONDS
                if self._stream.lost:
                    raise UpstreamFailure(Kind.BROKEN, "the connection is gone") from None
                if waited >= seconds:
                    raise UpstreamFailure(Kind.TIMEOUT, f"no data for {seconds:g} seconds") from None
            except _BREAKS as problem:
                raise _failure(problem, "") from problem

    async def aclose(self) -> None:
        """Give the connection back to the pool, or cut it if the answer was not read to its end."""
        await self._stream.aclose()


class UpstreamClient:
    """One per process and event loop."""

    def __init__(self) -> None:
        self._transport = AiohttpTransport()

    async def post(self, destination: Destination, body: bytes, *, first_byte: float) -> Reply:
        """Send one request and wait for the answer's head; `first_byte` seconds span everything."""
        request = httpx.Request(
            "POST",
            destination.url,
            headers=destination.headers,
            stream=httpx.ByteStream(body),  # ready as it is: httpx then does not work the headers over again
            extensions={"destination": destination},
        )
        request.read()
        return await self._send(request, first_byte)

    async def get(self, destination: Destination, *, first_byte: float) -> Reply:
        """As `post`, without a body."""
        request = httpx.Request(
            "GET",
            destination.url,
            headers=destination.headers,
            extensions={"destination": destination},
        )
        return await self._send(request, first_byte)

    async def upload(
        self, destination: Destination, body: AsyncIterator[bytes], *, first_byte: float
    ) -> Reply:
        """As `post`, of a body that never stands in memory whole; the destination's headers tell its length."""
        request = httpx.Request(
            "POST",
            destination.url,
            headers=destination.headers,
            extensions={"destination": destination, "body": body},
        )
        return await self._send(request, first_byte)

    async def _send(self, request: httpx.Request, first_byte: float) -> Reply:
        try:
            async with asyncio.timeout(first_byte):
                return Reply(await self._transport.handle_async_request(request))
        except (*_BREAKS, ValueError) as problem:
            raise _failure(problem, f"no answer within {first_byte:g} seconds") from problem

    async def aclose(self) -> None:
        await self._transport.aclose()


def _failure(problem: BaseException, waited: str) -> UpstreamFailure:
    if isinstance(problem, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return UpstreamFailure(Kind.CONNECT, type(problem).__name__)
    if isinstance(problem, TimeoutError):
        return UpstreamFailure(Kind.TIMEOUT, waited)
    return UpstreamFailure(Kind.BROKEN, type(problem).__name__)
