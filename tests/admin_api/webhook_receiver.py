"""A receiver of webhooks on this machine, with a certificate for its public name, and a network that leads there."""

from __future__ import annotations

import asyncio
import datetime
import ssl
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import httpcore
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.event_loop_thread import EventLoopThread

HOST = "hooks.example.com"
PUBLIC = "93.184.215.14"


class Receiver:
    """HTTPS on a free port. `requests` are heads and bodies; answers are those of `answers`, then 204."""

    def __init__(self) -> None:
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self.answers: list[bytes] = []
        self.silent = False
        server_side, self.trust = _certified(HOST)
        self._thread = EventLoopThread("receiver")
        self._server = asyncio.run_coroutine_threadsafe(
            asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=server_side), self._thread.loop
        ).result()

    @property
    def port(self) -> int:
        return int(self._server.sockets[0].getsockname()[1])

    def close(self) -> None:
        self._thread.loop.call_soon_threadsafe(self._server.close)
        self._thread.stop()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        headers = {
            name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)
        }
        headers["request"] = head[0]
        self.requests.append((headers, await reader.readexactly(int(headers["content-length"]))))
        if self.silent:
            await asyncio.sleep(30)
        answer = self.answers.pop(0) if self.answers else b"HTTP/1.1 204 No Content\r\n\r\n"
        writer.write(answer)
        await writer.drain()
        writer.close()


class Network(httpcore.AsyncNetworkBackend):
    """Connects to the receiver whatever the address is, and remembers the addresses."""

    def __init__(self, receiver: Receiver) -> None:
        self.connected: list[tuple[str, int]] = []
        self.away: set[str] = set()
        self._receiver = receiver
        self._inner = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        self.connected.append((host, port))
        if host in self.away:
            raise httpcore.ConnectError("unreachable")
        return await self._inner.connect_tcp("127.0.0.1", self._receiver.port, timeout)


def _certified(host: str) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """For the server and for a client that trusts its certificate alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.PEM)
    )
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "both.pem"
        path.write_bytes(secret + certificate)
        server.load_cert_chain(path)
    return server, ssl.create_default_context(cadata=certificate.decode())
