"""HTTP to providers: one pooled client, one attempt a call, every failure one of three kinds.

httpx is the interface; its default transport scans the whole pool at each request (31 ms with 256
connections), so aiohttp's transport is called directly with an `httpx.Request`.
"""

from __future__ import annotations

import asyncio
import enum
import ssl
from collections.abc import AsyncIterator

import aiohttp
import httpx
from httpx_aiohttp import AiohttpTransport

KEEPALIVE_SECONDS = 20.0
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


_BREAKS = (httpx.HTTPError, aiohttp.ClientError, OSError)  # a TimeoutError is an OSError too


class Reply:
    """A provider's answer whose head has come. Read it to the end or `abort` it."""

    __slots__ = ("_chunks", "_response", "headers", "status")

    def __init__(self, response: httpx.Response) -> None:
        self.status = response.status_code
        self.headers: list[tuple[bytes, bytes]] = response.headers.raw
        self._response = response
        self._chunks: AsyncIterator[bytes] = response.stream.__aiter__()  # type: ignore[union-attr]

    async def read(self, seconds: float) -> bytes:
        """The next bytes as soon as there are any, b"" at the end; raises `UpstreamFailure`."""
        waited = 0.0
        while True:
            try:
                async with asyncio.timeout(min(LOOK_SECONDS, seconds - waited)):
                    return await anext(self._chunks, b"")
            except TimeoutError:
                self._read_on()
                waited += LOOK_SECONDS
                if self._lost:
                    raise UpstreamFailure(Kind.BROKEN, "the connection is gone") from None
                if waited >= seconds:
                    raise UpstreamFailure(Kind.TIMEOUT, f"no data for {seconds:g} seconds") from None
            except asyncio.CancelledError:
                self._read_on()  # for who drains this reply
                raise
            except _BREAKS as problem:
                raise _failure(problem, "") from problem

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

    def _read_on(self) -> None:
        """A cancelled iterator is spent, the connection is not: go on with a new one."""
        self._chunks = self._response.stream.__aiter__()  # type: ignore[union-attr]

    @property
    def _lost(self) -> bool:
        """aiohttp closes a connection whose chunking is broken without telling who waits for the body."""
        connection = self._response.stream._aiohttp_response.connection  # type: ignore[union-attr]
        return connection is None or connection.transport is None

    async def aclose(self) -> None:
        """Give the connection back to the pool, or cut it if the answer was not read to its end."""
        await self._response.aclose()


class UpstreamClient:
    """One per process and event loop."""

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None
        self._transport = AiohttpTransport(client=self._make_session)

    async def post(
        self, url: httpx.URL, *, headers: httpx.Headers, body: bytes, connect: float, first_byte: float
    ) -> Reply:
        """Send one request and wait for the answer's head. Timeouts are seconds; `first_byte` spans everything."""
        request = _request(url, headers, body, connect)
        try:
            async with asyncio.timeout(first_byte):
                return Reply(await self._transport.handle_async_request(request))
        except (*_BREAKS, ValueError) as problem:
            raise _failure(problem, f"no answer within {first_byte:g} seconds") from problem

    async def aclose(self) -> None:
        await self._transport.aclose()

    def _make_session(self) -> aiohttp.ClientSession:
        """No cookies: one tenant's answer must not colour another's request."""
        connector = aiohttp.TCPConnector(
            limit=0, keepalive_timeout=KEEPALIVE_SECONDS, ssl=ssl.create_default_context(), ttl_dns_cache=30
        )
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
            auto_decompress=False,
            skip_auto_headers=("user-agent", "accept", "accept-encoding"),
            max_line_size=64 * 1024,
            max_field_size=64 * 1024,
        )


def _request(url: httpx.URL, headers: httpx.Headers, body: bytes, connect: float) -> httpx.Request:
    """A request from ready headers: given a stream, httpx does not work them over again; aiohttp adds host and
    length. Guessing the headers' encoding anew for every request would cost as much as sending it."""
    request = httpx.Request(
        "POST",
        url,
        headers=headers,
        stream=httpx.ByteStream(body),
        extensions={"timeout": {"connect": connect}},
    )
    request.headers.encoding = "latin-1"
    request.read()
    return request


def _failure(problem: BaseException, waited: str) -> UpstreamFailure:
    """The transport calls every lost connection a connect timeout; aiohttp's own exception tells more."""
    cause = problem.__cause__ if isinstance(problem, httpx.HTTPError) else problem
    if isinstance(cause, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return UpstreamFailure(Kind.CONNECT, type(cause).__name__)
    if isinstance(cause, TimeoutError):
        return UpstreamFailure(Kind.TIMEOUT, waited)
    return UpstreamFailure(Kind.BROKEN, type(cause).__name__)
