"""The Playground's messages: the same engine and the same rules, for somebody who is signed in instead of a key.

Who that is, the pages say: they are asked inside this process with the headers of the request, so that whatever holds
for sessions, CSRF tokens and origins on a page holds here. They answer with the id of the key that stands for what this
person sends to this workspace; limits, budgets and the ledger know the request by it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import structlog

from gateway import credentials
from gateway.consumers.base import GatewayConsumer
from gateway.consumers.count_tokens import CountTokensConsumer
from gateway.consumers.messages import MessagesConsumer
from gateway.directory.store import StoreUnavailable
from gateway.errors import (
    AuthenticationFailed,
    GatewayError,
    InternalError,
    InvalidRequest,
    NotFound,
    PermissionDenied,
    Unavailable,
)
from gateway.principal import Principal, Workspace

log = structlog.get_logger(__name__)

Pages = Callable[[Any, Any, Any], Awaitable[None]]

MESSAGES = "/playground/messages"
COUNT_TOKENS = "/playground/count_tokens"
PERMIT = "/playground/permit"

FOREIGN = (
    "The request did not come from a page of this gateway, or the page was open for too long. Load it again."
)
SIGN_IN = "Your session has ended. Sign in again."

# Of the request's body, which the pages do not get.
_OF_THE_BODY = {b"content-length", b"content-type", b"content-encoding", b"transfer-encoding", b"expect"}
_REFUSALS = {
    one.status: one for one in (InvalidRequest, AuthenticationFailed, PermissionDenied, NotFound, Unavailable)
}


class Permit(msgspec.Struct, frozen=True):
    """What the pages answer to who may send."""

    api_key_id: str


class Refusal(msgspec.Struct, frozen=True):
    """The part of an error's envelope that is told."""

    error: dict[str, Any]


_permit = msgspec.json.Decoder(Permit)
_refusal = msgspec.json.Decoder(Refusal)


class PlaygroundConsumer(GatewayConsumer):
    """`pages` is the application that answers for the dashboard."""

    def __init__(self, *, pages: Pages, **rest: Any) -> None:
        super().__init__(**rest)
        self._pages = pages
        self._cookies: list[tuple[bytes, bytes]] = []

    async def caller(self) -> tuple[Principal, Workspace]:
        """Raises `GatewayError`; `AuthenticationFailed` where nobody is signed in."""
        answer = await ask(self._pages, self.scope)
        self._cookies = answer.cookies
        principal = await self._principal(answer.permit().api_key_id)
        if principal is None or principal.kind != credentials.PLAYGROUND:
            raise InternalError("The key of the Playground is not there.")
        if principal.refusal:
            log.info("key_refused", key_id=principal.key_id, why=principal.refusal)
            raise PermissionDenied("You may not send requests in this workspace any more.")
        return principal, principal.workspaces[0]

    async def _principal(self, key_id: str) -> Principal | None:
        try:
            return await self.plane.directory.store.principal_of(key_id)
        except StoreUnavailable as problem:
            log.warning("key_not_checked", error=str(problem))
            raise Unavailable("Your session cannot be checked at the moment. Please try again.") from problem

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """With the cookies that the pages set, as one that lengthens a session."""
        await super().start(status, [*headers, *self._cookies])


class PlaygroundMessagesConsumer(PlaygroundConsumer, MessagesConsumer):
    """`POST /playground/messages`."""


class PlaygroundCountConsumer(PlaygroundConsumer, CountTokensConsumer):
    """`POST /playground/count_tokens`."""


class Answer(msgspec.Struct):
    """What the pages said, as it comes."""

    status: int = 0
    headers: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes = b""

    @property
    def cookies(self) -> list[tuple[bytes, bytes]]:
        return [(name, value) for name, value in self.headers if name.lower() == b"set-cookie"]

    def permit(self) -> Permit:
        """Raises `GatewayError` in the words of the pages where they have some for a program."""
        if self.status == 200:
            return _permit.decode(self.body)
        if 300 <= self.status < 400:  # to a page that a person has to see first
            raise AuthenticationFailed(SIGN_IN)
        raise self._refusal()

    def _refusal(self) -> GatewayError:
        refused = _REFUSALS.get(self.status)
        if refused is None:
            return InternalError("An unexpected error has occurred in the gateway.")
        try:
            return refused(str(_refusal.decode(self.body).error["message"]))
        except (msgspec.DecodeError, KeyError):  # a page for a person, as of who sends no token
            return refused(FOREIGN if refused is PermissionDenied else "The Playground is not available.")


async def ask(pages: Pages, scope: dict[str, Any]) -> Answer:
    """May who sends this request send it? Asked as a POST without a body, with all other headers."""
    answer = Answer()

    async def send(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            answer.status, answer.headers = message["status"], tuple(map(tuple, message["headers"]))
        else:
            answer.body += message.get("body", b"")

    await pages(_asking(scope), _bodiless(), send)
    return answer


def _asking(scope: dict[str, Any]) -> dict[str, Any]:
    headers = [(name, value) for name, value in scope["headers"] if name not in _OF_THE_BODY]
    address = {"path": PERMIT, "raw_path": PERMIT.encode(), "query_string": b""}
    return {**scope, **address, "method": "POST", "headers": headers}


def _bodiless() -> Callable[[], Awaitable[dict[str, Any]]]:
    """An empty body, and then a client that stays for as long as it is listened for."""
    parts: list[dict[str, Any]] = [{"type": "http.request", "body": b"", "more_body": False}]

    async def receive() -> dict[str, Any]:
        if not parts:
            await asyncio.Event().wait()
        return parts.pop()

    return receive
