"""httpx's transport interface over aiohttp's pool of connections.

httpx's own transport scans its whole pool at every request (31 ms of CPU with 256 connections), and the adapter
packages work out address, headers and timeouts anew each time. A `Destination` has them ready.
"""

from __future__ import annotations

import functools
import ssl
from collections.abc import AsyncIterator

import aiohttp
import httpx
import yarl
from multidict import CIMultiDict

from gateway.upstreams.post import MAX_HEADER_BYTES, READ_AHEAD, Head, Posted, post

KEEPALIVE_SECONDS = 20.0


class Destination:
    """Where a request goes and with which headers; made once for many requests. `connect` is in seconds."""

    def __init__(self, url: str, headers: list[tuple[str, str]], *, connect: float) -> None:
        self.url = httpx.URL(url)
        self.headers = httpx.Headers(headers, encoding="latin-1")
        self.address = yarl.URL(url, encoded=True)
        self.fields = CIMultiDict(headers)
        self.timeout = aiohttp.ClientTimeout(sock_connect=connect)

    @functools.cached_property
    def head(self) -> Head:
        """Made with the first request, so that what is wrong with it fails as a request."""
        return Head(self.address, self.fields, self.timeout)


class ReplyStream(httpx.AsyncByteStream):
    """A reply's body, and its headers as they came; reading goes on where it was cancelled."""

    def __init__(self, response: aiohttp.ClientResponse | Posted) -> None:
        self.headers = list(response.raw_headers)
        self._response = response

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while chunk := await self.read():
            yield chunk

    async def read(self) -> bytes:
        """The next bytes as soon as there are any, b"" at the end."""
        try:
            return await self._response.content.readany()
        except RuntimeError as problem:  # aiohttp's word to who waits at a connection that is closed already
            if self.lost:
                raise aiohttp.ClientConnectionError(str(problem)) from problem
            raise

    def read_what_came(self) -> bytes | None:
        """The next bytes if they are there already, b"" at the end; None says that one has to wait."""
        content = self._response.content
        chunk = content.read_nowait()
        return chunk if chunk or content.at_eof() else None

    @property
    def lost(self) -> bool:
        """aiohttp closes a connection whose chunking is broken without telling who waits for the body.

        It gives one away too as soon as the whole body has come, read or not.
        """
        if self._response.content.is_eof():
            return False
        connection = self._response.connection
        return connection is None or connection.transport is None

    async def aclose(self) -> None:
        """Give the connection back to the pool, or cut it if the reply was not read to its end."""
        if self._response.content.is_eof():
            self._response.release()
        else:
            self._response.close()


class AiohttpTransport(httpx.AsyncBaseTransport):
    """Sends requests whose extension `destination` is a `Destination`; raises aiohttp's exceptions as they are.

    A body that comes bit by bit is the extension `body`, an async iterator of bytes.
    A response's headers are those of its `ReplyStream`: httpx would write each name and value anew.
    """

    def __init__(self) -> None:
        self._session: aiohttp.ClientSession | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        destination: Destination = request.extensions["destination"]
        session = self._opened()
        if request.method == "POST" and "body" not in request.extensions:
            assert session.connector is not None  # a closed session has none
            posted = await post(session.connector, destination.head, request.content)
            return httpx.Response(posted.status, stream=ReplyStream(posted))
        response = await session.request(
            request.method,
            destination.address,
            headers=destination.fields,
            data=request.extensions.get("body"),
            allow_redirects=False,
            timeout=destination.timeout,
        )
        return httpx.Response(response.status, stream=ReplyStream(response))

    async def aclose(self) -> None:
        if self._session is not None:
            await self._session.close()

    def _opened(self) -> aiohttp.ClientSession:
        """No cookies: one tenant's answer must not colour another's request."""
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=0,
                keepalive_timeout=KEEPALIVE_SECONDS,
                ssl=ssl.create_default_context(),
                ttl_dns_cache=30,
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
                auto_decompress=False,
                read_bufsize=READ_AHEAD,
                skip_auto_headers=("user-agent", "accept", "accept-encoding"),
                max_line_size=MAX_HEADER_BYTES,
                max_field_size=MAX_HEADER_BYTES,
            )
        return self._session
