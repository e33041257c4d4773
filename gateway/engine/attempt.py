"""One attempt at one target: from sending to the first thing worth showing the caller.

Ends in one of three ways: a whole JSON answer, an open stream with its first frames, or `AttemptFailed`.
"""

from __future__ import annotations

import msgspec
import structlog

from gateway.directory.catalog import Target
from gateway.engine.call import Call
from gateway.engine.dialects import Dialects, Reply
from gateway.errors import GatewayError, InternalError, Overloaded, RateLimited, UpstreamTimeout
from gateway.protocol.anthropic import errors as wire_errors
from gateway.protocol.anthropic.relay import MalformedStream, Message, State, StreamReader, read_message
from gateway.upstreams.client import Kind, UpstreamFailure

log = structlog.get_logger(__name__)

MAX_ATTEMPTS = 3  # targets tried for one request, the first included
MAX_REPLY_BYTES = 64 * 1024 * 1024
MAX_ERROR_BYTES = 1024 * 1024
RETRYABLE = {401, 402, 403, 408, 429, 500, 502, 503, 504, 529}
OURS = {401, 402, 403}  # trouble of the operator's provider key, never shown to a tenant


class ProviderError(GatewayError):
    """An error answer of the provider that the caller gets as it came: body, status, and when to try again."""

    def __init__(self, status: int, body: bytes, error_type: str, headers: dict[str, str]) -> None:
        super().__init__(f"the provider answered {status}", headers=headers)
        self.status = status  # type: ignore[misc]
        self.type = error_type  # type: ignore[misc]
        self.body = body


class AttemptFailed(Exception):
    """No answer to show. `error` is what the caller gets if no other target helps.

    `sent` says that the provider may have begun to work (and so to count); `status` is what it answered.
    """

    def __init__(
        self, error: GatewayError, *, retryable: bool, sent: bool = False, status: int | None = None
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.retryable = retryable
        self.sent = sent
        self.status = status


class JsonAnswer(msgspec.Struct, frozen=True):
    """A whole message: its bytes as they came, and what is metered of it."""

    headers: list[tuple[bytes, bytes]]
    body: bytes
    message: Message


class OpenStream(msgspec.Struct, frozen=True):
    """A stream whose first whole frames are `first`; the rest is read from `reply` through `reader`."""

    headers: list[tuple[bytes, bytes]]
    first: bytes
    reader: StreamReader
    reply: Reply


async def attempt(call: Call, target: Target, dialects: Dialects) -> JsonAnswer | OpenStream:
    """Raises `AttemptFailed`. A cancelled attempt has cut its connection."""
    reply: Reply | None = None
    keep = False
    try:
        reply = await dialects.send(call, target)
        if reply.status != 200:
            raise await _refused(reply, target, call)
        _check_encoding(reply)
        if call.stream:
            stream = await _open_stream(call, reply, target)
            keep = True
            return stream
        return await _whole_message(reply, target)
    except UpstreamFailure as failure:
        raise _failed(failure, target, call) from failure
    finally:
        if reply is not None and not keep:
            await reply.aclose()


async def read_reply(call: Call, target: Target, dialects: Dialects) -> bytes:
    """The body of a 200 that is no message, such as a count. Raises `AttemptFailed`."""
    reply: Reply | None = None
    try:
        reply = await dialects.send(call, target)
        if reply.status != 200:
            raise await _refused(reply, target, call)
        _check_encoding(reply)
        return await reply.read_all(MAX_ERROR_BYTES, target.timeouts.idle)
    except UpstreamFailure as failure:
        raise _failed(failure, target, call) from failure
    finally:
        if reply is not None:
            await reply.aclose()


async def _open_stream(call: Call, reply: Reply, target: Target) -> OpenStream:
    """Wait for the first whole frame: until then a failure is still an HTTP error."""
    if not _content_type(reply).startswith(b"text/event-stream"):
        raise _garbage(target, f"content type {_content_type(reply)[:60]!r} for a stream")
    reader, first = StreamReader(), b""
    while not first or reader.state is State.WAITING:
        chunk = await reply.read(target.timeouts.first_byte_of(stream=True))
        if not chunk:
            raise UpstreamFailure(Kind.BROKEN, "no event came")
        try:
            first += reader.feed(chunk)
        except MalformedStream as problem:
            raise _garbage(target, str(problem)) from problem
    if reader.state is State.FAILED and reader.error is not None:
        raise _error_before_content(reader.error.type, reader.error.message)
    return OpenStream(reply.headers, first, reader, reply)


async def _whole_message(reply: Reply, target: Target) -> JsonAnswer:
    body = await reply.read_all(MAX_REPLY_BYTES, target.timeouts.first_byte_of(stream=False))
    message = read_message(body)
    if message is None:
        raise _garbage(target, "an answer that is not a message")
    return JsonAnswer(reply.headers, body, message)


async def _refused(reply: Reply, target: Target, call: Call) -> AttemptFailed:
    """The provider said no: its own words for the caller's mistakes, ours for the operator's."""
    status = reply.status
    body = await reply.read_all(MAX_ERROR_BYTES, target.timeouts.idle)
    detail = wire_errors.read(body)
    log.log(
        _level(status),
        "provider_refused",
        request_id=call.request_id,
        provider=target.provider,
        model=target.upstream_model,
        status=status,
        error_type=detail.type if detail else None,
    )
    if status in OURS:
        error: GatewayError = InternalError("The provider refused the gateway's own credentials.")
    elif status < 400:
        error = InternalError(f"The provider answered with status {status}.")
    elif detail is not None:
        error = ProviderError(status, body, detail.type, _try_again_headers(reply))
    else:
        error = _without_envelope(status, _try_again_headers(reply))
    return AttemptFailed(error, retryable=status in RETRYABLE or status >= 500, status=status)


def _without_envelope(status: int, headers: dict[str, str]) -> GatewayError:
    """An error page of some proxy on the way, told in Anthropic's terms."""
    if status == 429:
        return RateLimited("The provider is limiting requests.", headers=headers)
    if status in (408, 504):
        return UpstreamTimeout("The provider did not answer in time.", headers=headers)
    if status in (503, 529):
        return Overloaded("The provider is overloaded.", headers=headers)
    return InternalError(
        f"The provider answered with status {status} and no error that can be read.", headers=headers
    )


def _error_before_content(error_type: str, message: str) -> AttemptFailed:
    """An error event as the first event is an HTTP error still."""
    status = wire_errors.STATUS_OF_TYPE.get(error_type, 500)
    if status in OURS:
        return AttemptFailed(
            InternalError("The provider refused the gateway's own credentials."), retryable=True
        )
    body = msgspec.json.encode({"type": "error", "error": {"type": error_type, "message": message}})
    return AttemptFailed(ProviderError(status, body, error_type, {}), retryable=status in RETRYABLE)


def _failed(failure: UpstreamFailure, target: Target, call: Call) -> AttemptFailed:
    log.warning(
        "provider_failed",
        request_id=call.request_id,
        provider=target.provider,
        model=target.upstream_model,
        failure=str(failure),
    )
    if failure.kind is Kind.TIMEOUT:
        return AttemptFailed(
            UpstreamTimeout("The provider did not answer in time."), retryable=True, sent=True
        )
    if failure.kind is Kind.CONNECT:
        return AttemptFailed(InternalError("The provider could not be reached."), retryable=True)
    message = "The provider closed the connection before its answer was complete."
    return AttemptFailed(InternalError(message), retryable=True, sent=True)


def _garbage(target: Target, what: str) -> AttemptFailed:
    log.error("provider_sent_garbage", provider=target.provider, model=target.upstream_model, what=what)
    return AttemptFailed(
        InternalError("The provider sent an answer that cannot be read."), retryable=True, sent=True
    )


def _check_encoding(reply: Reply) -> None:
    """We ask for identity; anything else could not be metered, and may be a bomb."""
    for name, value in reply.headers:
        if name.lower() == b"content-encoding" and value.lower() not in (b"", b"identity"):
            raise UpstreamFailure(Kind.BROKEN, f"content encoding {value[:20]!r}")


def _content_type(reply: Reply) -> bytes:
    return next((value.lower() for name, value in reply.headers if name.lower() == b"content-type"), b"")


def _try_again_headers(reply: Reply) -> dict[str, str]:
    kept = (b"retry-after", b"retry-after-ms", b"x-should-retry")
    return {n.lower().decode(): v.decode("latin-1") for n, v in reply.headers if n.lower() in kept}


def _level(status: int) -> int:
    return 40 if status in OURS or status < 400 else 30 if status >= 500 or status == 429 else 20
