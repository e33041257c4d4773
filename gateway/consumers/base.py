"""The HTTP consumer that every data-plane endpoint is: lean, cancelled when its client leaves, never silent.

Channels' stock dispatch hops into a thread for every message and does not deliver a disconnect while
`handle()` runs. This one runs `handle` in the request's own task and listens for the disconnect beside it.
"""

from __future__ import annotations

import asyncio
import functools
import time
from typing import Any

import structlog
from channels.generic.http import AsyncHttpConsumer

from gateway import metrics
from gateway.client_address import client_address
from gateway.consumers import access_log
from gateway.consumers.headers import check_host, read
from gateway.consumers.request_body import ClientGone, discard_body
from gateway.engine.plane import Plane
from gateway.engine.provider_error import ProviderError
from gateway.engine.settlement import CLIENT_CLOSED
from gateway.errors import (
    GatewayError,
    InternalError,
    MethodNotAllowed,
    NoWebSocket,
    Overloaded,
    TooLarge,
    envelope,
)
from gateway.ids import new_request_id

log = structlog.get_logger(__name__)

LISTEN_AFTER_SECONDS = 0.1
JSON = (b"content-type", b"application/json")


class GatewayConsumer(AsyncHttpConsumer):
    """One request. Subclasses say which `methods` they answer and implement `answer`."""

    endpoint = ""
    methods: tuple[str, ...] = ("POST",)
    plane: Plane

    def __init__(self, *, plane: Plane) -> None:
        super().__init__()
        self.plane = plane
        self.started = time.perf_counter()
        self.request_id = new_request_id()
        self.organization_id: str | None = None
        self.status = 0
        self.head: list[tuple[bytes, bytes]] = []  # of the answer, once it has begun
        self._interrupting = False
        self._client_left = False
        self._task: asyncio.Task[Any] | None = None
        self._watch: asyncio.TimerHandle | asyncio.Task[None] | None = None

    async def answer(self) -> None:
        """Read the request and send a whole answer, or raise `GatewayError` before anything was sent."""
        raise NotImplementedError

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scope, self.receive, self.base_send = scope, receive, send
        self._task = asyncio.current_task()
        self.plane.open.add(self)
        try:
            await self._answer_or_refuse()
        except ClientGone:
            self.status = CLIENT_CLOSED
        except asyncio.CancelledError:
            # Ours: the client left, and everything is settled. Anybody else's goes on.
            if not self._client_left:
                raise
            self.status = CLIENT_CLOSED
        finally:
            if self._watch is not None:
                self._watch.cancel()
            self.plane.open.discard(self)
            seconds = time.perf_counter() - self.started
            metrics.request_answered(self.endpoint, self.status, seconds)
            access_log.write(self, seconds)

    def interrupt(self) -> None:
        """The process stops: end this request with an error that tells the client to come back."""
        self._interrupting = True
        if self._task is not None:
            self._task.cancel()

    @property
    def interrupting(self) -> bool:
        return self._interrupting

    async def _answer_or_refuse(self) -> None:
        try:
            try:
                self.headers = read(self.scope["headers"])
                check_host(self.headers, self.plane.configuration.hosts)
                if self.headers.get(b"upgrade", b"").lower() == b"websocket":
                    # Codex tries that first, and goes on over HTTP at once only after this status.
                    raise NoWebSocket("There are no WebSockets here; send the request over HTTP.")
                if self.scope["method"] not in self.methods:
                    raise MethodNotAllowed("Method Not Allowed", headers={"allow": ", ".join(self.methods)})
                await self.answer()
            except asyncio.CancelledError as problem:
                if self._interrupting and not self.status:
                    raise Overloaded("The gateway is restarting. Please try again.") from None
                if self._task is not None and not self._task.cancelling():
                    raise RuntimeError("cancelled was not this request but what it waited for") from problem
                raise
        except TooLarge as error:
            await self._refuse_while_receiving(error)
        except GatewayError as error:
            await self.refuse(error)
        except (asyncio.CancelledError, ClientGone):
            raise
        except Exception:
            log.exception("request_failed", request_id=self.request_id)
            if self.status:
                raise
            await self.refuse(InternalError("An unexpected error has occurred in the gateway."))

    def told(self, error: GatewayError) -> tuple[int, bytes]:
        """Status and body of an error, as clients of this endpoint read it; a provider's own is passed on."""
        if isinstance(error, ProviderError) and error.dialect == "anthropic":
            return error.status, error.body
        return error.status, envelope(error, self.request_id)

    async def refuse(self, error: GatewayError) -> None:
        status, body = self.told(error)
        await self.send_json(status, body, _encoded(error.headers))

    async def _refuse_while_receiving(self, error: GatewayError) -> None:
        """The whole refusal at once, and the connection open until the client has sent what it is sending."""
        status, body = self.told(error)
        await self.start(status, [JSON, (b"content-length", b"%d" % len(body)), (b"connection", b"close")])
        await self.base_send({"type": "http.response.body", "body": body, "more_body": True})
        await discard_body(self.receive)
        await self.base_send({"type": "http.response.body", "body": b""})

    async def send_json(self, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
        """A whole JSON answer in one piece."""
        await self.start(status, [*headers, JSON, (b"content-length", b"%d" % len(body))])
        await self.base_send({"type": "http.response.body", "body": b"" if self.is_head else body})

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """The head of the answer, with the ids that every answer carries."""
        self.status, self.head = status, headers
        headers.append((b"request-id", self.request_id.encode()))
        if self.organization_id is not None:
            headers.append((b"anthropic-organization-id", self.organization_id.encode()))
        await self.base_send({"type": "http.response.start", "status": status, "headers": headers})

    def watch_disconnect(self) -> None:
        """From here on the request is cancelled when its client leaves.

        Most requests are answered before it is worth a task of its own to listen for that.
        """
        self._watch = asyncio.get_running_loop().call_later(LISTEN_AFTER_SECONDS, self._start_listening)

    def _start_listening(self) -> None:
        self._watch = asyncio.create_task(self._cancel_on_disconnect())

    async def _cancel_on_disconnect(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass
        self._client_left = True
        if self._task is not None:
            self._task.cancel()

    @property
    def is_head(self) -> bool:
        return self.scope["method"] == "HEAD"

    @functools.cached_property
    def address(self) -> str:
        """The client's address, for throttling, and for where its key was last used."""
        peer = (self.scope.get("client") or ("",))[0]
        forwarded_for = self.headers.get(b"x-forwarded-for", b"").decode("latin-1")
        return client_address(peer, forwarded_for, self.plane.configuration.proxies)


def _encoded(headers: dict[str, str]) -> list[tuple[bytes, bytes]]:
    return [(name.encode(), value.encode()) for name, value in headers.items()]
