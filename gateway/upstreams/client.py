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


class Kind(enum.Enum):
    CONNECT = "the provider could not be reached"
    TIMEOUT = "the provider did not answer in time"
    BROKEN = "the provider closed the connection before its answer was complete"


class UpstreamFailure(Exception):
    """An attempt that brought no answer, or only part of one."""

    def __init__(self, kind: Kind, detail: str = "") -> None:
        super().__init__(f"{kind.value}: {detail}" if detail else kind.value)
        self.kind = kind


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
        try:
            async with asyncio.timeout(seconds):
                return await anext(self._chunks, b"")
        except TimeoutError:
            raise UpstreamFailure(Kind.TIMEOUT, f"no data for {seconds:g} seconds") from None
        except asyncio.CancelledError:
            # A cancelled iterator is spent, the connection is not: who drains it reads on with a new one.
            self._chunks = self._response.stream.__aiter__()  # type: ignore[union-attr]
            raise
        except (httpx.HTTPError, aiohttp.ClientError, OSError) as problem:
            raise UpstreamFailure(Kind.BROKEN, _cause(problem)) from problem

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
        except TimeoutError:
            raise UpstreamFailure(Kind.TIMEOUT, f"no answer within {first_byte:g} seconds") from None
        except (httpx.HTTPError, aiohttp.ClientError, OSError, ValueError) as problem:
            raise UpstreamFailure(_kind(problem), _cause(problem)) from problem

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


def _kind(problem: BaseException) -> Kind:
    """The transport calls every lost connection a connect timeout; aiohttp's own exception tells more."""
    cause = problem.__cause__ or problem
    if isinstance(cause, aiohttp.ConnectionTimeoutError | aiohttp.ClientConnectorError):
        return Kind.CONNECT
    if isinstance(cause, TimeoutError):
        return Kind.TIMEOUT
    return Kind.BROKEN


def _cause(problem: BaseException) -> str:
    cause = problem.__cause__ or problem
    return f"{type(cause).__name__}"
