"""Posts to addresses that organizations named: to public ones only, whatever their names mean by now.

The check sits where connections are made, below the HTTP client: the host is resolved once, all its addresses have to
be public, and the connection goes to one of these. Nothing follows a redirect, and no proxy of the environment is used.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Iterable, Mapping
from typing import Any

import certifi
import httpcore

from admin_api.webhook_addresses import Resolver, public_addresses, resolve

SECONDS = 10.0  # for all of it: a receiver that answers drop by drop is not waited for
MOST_ADDRESSES = 3


class NotDelivered(Exception):
    """Why, in a few words: no secret, and nothing that the receiver said."""


class PublicNetwork(httpcore.AsyncNetworkBackend):
    """TCP to public addresses. `inner` makes the connections that are allowed."""

    def __init__(self, resolve: Resolver, inner: httpcore.AsyncNetworkBackend) -> None:
        self._resolve = resolve
        self._inner = inner

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's own
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        """Raises `NotDelivered` for a host of which any address is not public."""
        failed: Exception = NotDelivered("the host has no address")
        for address in (await self._addresses(host))[:MOST_ADDRESSES]:
            try:
                return await self._inner.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as problem:
                failed = problem
        raise failed

    async def _addresses(self, host: str) -> list[str]:
        try:
            return await asyncio.to_thread(public_addresses, host, self._resolve)
        except PermissionError:
            raise NotDelivered("the host's address is not public") from None
        except (OSError, UnicodeError):
            raise NotDelivered("the host has no address") from None

    async def sleep(self, seconds: float) -> None:
        await self._inner.sleep(seconds)


class WebhookClient:
    """One for each round of deliveries. Tests name a resolver, a network and whom to trust."""

    def __init__(
        self,
        *,
        resolve: Resolver = resolve,
        network: httpcore.AsyncNetworkBackend | None = None,
        trust: ssl.SSLContext | None = None,
        seconds: float = SECONDS,
    ) -> None:
        self._network = PublicNetwork(resolve, network or httpcore.AnyIOBackend())
        self._trust = trust or ssl.create_default_context(cafile=certifi.where())
        self._seconds = seconds

    async def post(self, url: str, headers: Mapping[str, str], body: bytes) -> None:
        """Returns once the receiver answered 2xx. Raises `NotDelivered`."""
        try:
            async with asyncio.timeout(self._seconds):
                status = await self._status(url, headers, body)
        except TimeoutError:
            raise NotDelivered(f"no answer within {self._seconds:g} s") from None
        except (
            httpcore.NetworkError,
            httpcore.TimeoutException,
            httpcore.ProtocolError,
            ssl.SSLError,
        ) as problem:
            raise NotDelivered(_told(problem)) from None
        if not 200 <= status < 300:
            raise NotDelivered(f"the receiver answered {status}")

    async def _status(self, url: str, headers: Mapping[str, str], body: bytes) -> int:
        """The answer's body is nothing to us, and is not read."""
        sent = {"content-type": "application/json", "user-agent": "gateway-webhooks/1", **headers}
        async with (
            httpcore.AsyncConnectionPool(
                ssl_context=self._trust, network_backend=self._network, max_connections=1, retries=0
            ) as pool,
            pool.stream(
                "POST",
                url,
                headers=list(sent.items()),
                content=body,
                extensions={"timeout": self._timeouts()},
            ) as answer,
        ):
            return int(answer.status)

    def _timeouts(self) -> dict[str, float]:
        return dict.fromkeys(("connect", "read", "write", "pool"), self._seconds)


def _told(problem: BaseException) -> str:
    """What is wrong with a certificate only who runs the receiver can mend, and a bare ConnectError hides it."""
    cause: BaseException | None = problem
    while cause is not None and not isinstance(cause, ssl.SSLCertVerificationError):
        cause = cause.__cause__ or cause.__context__
    if cause is None:
        return f"the connection failed: {type(problem).__name__}"
    return f"the receiver's certificate is refused: {cause.verify_message}"
