"""A POST over a connection of aiohttp's pool, past aiohttp's session.

The session works out address, cookies, headers and redirects for each request anew and writes the body in a task of
its own, which costs three times what the exchange itself does. Pool, names, TLS and parser are aiohttp's here too.
"""

from __future__ import annotations

import asyncio

import aiohttp
import yarl
from aiohttp.connector import Connection
from aiohttp.http import RawResponseMessage
from multidict import CIMultiDict

MAX_HEADER_BYTES = 64 * 1024
# Bytes of an answer; where twice as many wait for a slow reader, the provider waits too.
READ_AHEAD = 64 * 1024
SWITCHING_PROTOCOLS = 101


class Head:
    """What every POST to one address begins with. Raises `ValueError` where a header could end its line."""

    def __init__(self, address: yarl.URL, headers: CIMultiDict[str], connect: aiohttp.ClientTimeout) -> None:
        self.connect = connect
        # The pool asks a request where to connect, and it knows which headers an address brings with it.
        self.asked = aiohttp.ClientRequest(
            "POST",
            address,
            headers=headers,
            skip_auto_headers=("user-agent", "accept", "accept-encoding"),
            loop=asyncio.get_running_loop(),
        )
        self.asked.headers.popall("content-length", None)  # of the body that it does not have
        first = f"POST {address.raw_path_qs} HTTP/1.1"
        self.lines = b"".join(map(_line, [first, *(f"{n}: {v}" for n, v in self.asked.headers.items())]))

    def before(self, body: bytes) -> bytes:
        return b"%bcontent-length: %d\r\n\r\n" % (self.lines, len(body))


def _line(text: str) -> bytes:
    if any(end in text for end in "\r\n\0"):
        raise ValueError("a header with the end of a line in it")
    return text.encode("latin-1") + b"\r\n"


class Posted:
    """An answer whose head has come, with what a `ReplyStream` reads of an `aiohttp.ClientResponse`."""

    def __init__(
        self, connection: Connection, message: RawResponseMessage, content: aiohttp.StreamReader
    ) -> None:
        self.status = message.code
        self.raw_headers = message.raw_headers
        self.content = content
        self.connection: Connection | None = connection
        content.on_eof(self.release)

    def release(self) -> None:
        """Give the connection back, which happens by itself as soon as the whole body has come, read or not."""
        connection, self.connection = self.connection, None
        if connection is None:
            return
        transport = connection.transport
        if transport is None or transport.get_write_buffer_size():  # answered before it had heard all
            connection.close()
        else:
            connection.release()

    def close(self) -> None:
        """Cut the connection."""
        connection, self.connection = self.connection, None
        if connection is not None:
            connection.close()


async def post(pool: aiohttp.BaseConnector, head: Head, body: bytes) -> Posted:
    """Send one request and wait for its answer's head. Raises aiohttp's exceptions and `OSError`."""
    connection = await _connected(pool, head)
    try:
        protocol, transport = connection.protocol, connection.transport
        if protocol is None or transport is None:
            raise aiohttp.ClientConnectionResetError("the connection was lost as soon as it was made")
        protocol.set_response_params(
            read_until_eof=True,
            auto_decompress=False,
            read_bufsize=READ_AHEAD,
            max_line_size=MAX_HEADER_BYTES,
            max_field_size=MAX_HEADER_BYTES,
        )
        transport.writelines((head.before(body), body))
        while True:
            message, content = await protocol.read()
            if message.code >= 200 or message.code == SWITCHING_PROTOCOLS:
                return Posted(connection, message, content)
    except BaseException:
        connection.close()
        raise


async def _connected(pool: aiohttp.BaseConnector, head: Head) -> Connection:
    try:
        return await pool.connect(head.asked, traces=[], timeout=head.connect)
    except TimeoutError as problem:
        raise aiohttp.ConnectionTimeoutError("the connection was not made in time") from problem
