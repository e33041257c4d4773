"""One attempt at one target: from sending to the first thing worth showing the caller.

Ends in one of three ways: a whole JSON answer, an open stream with its first frames, or `AttemptFailed`.
"""

from __future__ import annotations

import asyncio
import time

import msgspec
import structlog

from gateway import metrics
from gateway.directory.catalog import Target
from gateway.engine.call import Call
from gateway.engine.dialects import Dialects, Reply
from gateway.engine.passages.passage import Passage, Reader, Whole
from gateway.engine.passages.relayed import OUR_CREDENTIALS, OURS
from gateway.engine.provider_error import ProviderError
from gateway.engine.retry_after import retry_after
from gateway.errors import GatewayError, InternalError, UpstreamTimeout
from gateway.protocol.anthropic import errors as wire_errors
from gateway.protocol.anthropic.relay import MalformedStream, State
from gateway.protocol.openai.failure import FailedStream
from gateway.upstreams.client import Kind, UpstreamFailure

log = structlog.get_logger(__name__)

MAX_REPLY_BYTES = 64 * 1024 * 1024
SHORTEST_SECRET = 8  # bytes; a shorter one might stand in any word
MAX_ERROR_BYTES = 1024 * 1024
LARGE_ANSWER = 256 * 1024  # bytes; reading one takes milliseconds and moves to a thread
# The provider's trouble, or the operator's with it; everything else is the caller's own mistake anywhere.
RETRYABLE = {401, 402, 403, 408, 429, 500, 502, 503, 504, 529}
OF_THE_KEY = {401, 402, 403, 429}  # another key of the same provider may fare better


class AttemptFailed(Exception):
    """No answer to show. `error` is what the caller gets if no other target helps.

    `sent` says that the provider may have begun to work (and so to count), `status` is what it answered,
    `retry_after` how many seconds it wants to be left alone.
    """

    def __init__(
        self,
        error: GatewayError,
        *,
        retryable: bool,
        sent: bool = False,
        status: int | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(error.message)
        self.error = error
        self.retryable = retryable
        self.sent = sent
        self.status = status
        self.retry_after = retry_after

    @property
    def of_the_key(self) -> bool:
        return self.status in OF_THE_KEY


class JsonAnswer(msgspec.Struct, frozen=True):
    """A whole answer: the provider's headers, and its body with what is metered of it."""

    headers: list[tuple[bytes, bytes]]
    whole: Whole


class OpenStream(msgspec.Struct, frozen=True):
    """A stream whose first whole frames are `first`; the rest is read from `reply` through `reader`."""

    headers: list[tuple[bytes, bytes]]
    first: bytes
    reader: Reader
    reply: Reply


async def attempt(
    call: Call, target: Target, passage: Passage, dialects: Dialects
) -> JsonAnswer | OpenStream:
    """Raises `AttemptFailed`. A cancelled attempt has cut its connection."""
    reply: Reply | None = None
    keep = False
    seconds = _patience(call, target)
    try:
        reply = await dialects.send(call, target, passage, first_byte=seconds)
        if reply.status != 200:
            raise await _refused(reply, target, call, passage)
        _check_encoding(reply)
        if call.stream:
            stream = await _open_stream(reply, target, passage, seconds)
            keep = True
            return stream
        return await _whole_answer(reply, target, passage, seconds)
    except UpstreamFailure as failure:
        raise _failed(failure, target, call) from failure
    finally:
        if reply is not None and not keep:
            await reply.aclose()


async def read_reply(call: Call, target: Target, passage: Passage, dialects: Dialects) -> bytes:
    """The body of a 200 that is no message, such as a count. Raises `AttemptFailed`."""
    reply: Reply | None = None
    try:
        reply = await dialects.send(call, target, passage, first_byte=_patience(call, target))
        if reply.status != 200:
            raise await _refused(reply, target, call, passage)
        _check_encoding(reply)
        return await reply.read_all(MAX_ERROR_BYTES, target.timeouts.idle)
    except UpstreamFailure as failure:
        raise _failed(failure, target, call) from failure
    finally:
        if reply is not None:
            await reply.aclose()


def _patience(call: Call, target: Target) -> float:
    """Seconds until the provider must have begun: its own bound, and what is left of the caller's."""
    left = call.started + call.patience - time.perf_counter()
    return max(0.001, min(target.timeouts.first_byte_of(stream=call.stream), left))


async def _open_stream(reply: Reply, target: Target, passage: Passage, seconds: float) -> OpenStream:
    """Wait for the first whole frame: until then a failure is still an HTTP error."""
    if target.dialect != "openai" and not _content_type(reply).startswith(b"text/event-stream"):
        raise _garbage(target, f"content type {_content_type(reply)[:60]!r} for a stream")
    reader, first = passage.reader(), b""
    try:
        while not first or reader.state is State.WAITING:
            chunk = await reply.read(seconds)
            first += reader.feed(chunk) if chunk else reader.finish()
            if not chunk and (not first or reader.state is State.WAITING):
                raise UpstreamFailure(Kind.BROKEN, "no event came")
    except FailedStream as failure:
        raise _failed_stream(failure, target) from failure
    except MalformedStream as problem:
        raise _garbage(target, str(problem)) from problem
    if reader.state is State.FAILED and reader.error is not None:
        raise _error_before_content(reader.error.type, reader.error.message)
    return OpenStream(reply.headers, first, reader, reply)


async def _whole_answer(reply: Reply, target: Target, passage: Passage, seconds: float) -> JsonAnswer:
    body = await reply.read_all(MAX_REPLY_BYTES, seconds)
    try:
        if len(body) > LARGE_ANSWER:
            whole = await asyncio.to_thread(passage.whole, body)
        else:
            whole = passage.whole(body)
    except GatewayError as error:
        log.error(
            "provider_failed", provider=target.provider, model=target.upstream_model, error_type=error.type
        )
        raise AttemptFailed(error, retryable=error.status in RETRYABLE, sent=True) from error
    if whole is None:
        raise _garbage(target, "an answer that is not a message")
    note_unknown(whole.unknown, target)
    return JsonAnswer(reply.headers, whole)


async def _refused(reply: Reply, target: Target, call: Call, passage: Passage) -> AttemptFailed:
    """The provider said no: its own words for the caller's mistakes, ours for the operator's."""
    status = reply.status
    body = _without_key(await reply.read_all(MAX_ERROR_BYTES, target.timeouts.idle), target)
    error = passage.refusal(status, body, _try_again_headers(reply))
    log.log(
        _level(status),
        "provider_refused",
        request_id=call.request_id,
        provider=target.provider,
        model=target.upstream_model,
        status=status,
        error_type=error.type,
    )
    retryable = status in RETRYABLE or status >= 500 or error.status in RETRYABLE
    return AttemptFailed(error, retryable=retryable, status=status, retry_after=retry_after(reply.headers))


def _without_key(body: bytes, target: Target) -> bytes:
    """Some servers repeat in their errors what they were sent; the operator's key is no tenant's business."""
    key = target.api_key.encode()
    return body.replace(key, b"[redacted]") if len(key) >= SHORTEST_SECRET else body


def _error_before_content(error_type: str, message: str) -> AttemptFailed:
    """An error event as the first event is an HTTP error still."""
    status = wire_errors.STATUS_OF_TYPE.get(error_type, 500)
    if status in OURS:
        return AttemptFailed(InternalError(OUR_CREDENTIALS), retryable=True, status=status)
    body = msgspec.json.encode({"type": "error", "error": {"type": error_type, "message": message}})
    error = ProviderError(status, body, error_type, message, {}, dialect="anthropic")
    return AttemptFailed(error, retryable=status in RETRYABLE, status=status)


def _failed_stream(failure: FailedStream, target: Target) -> AttemptFailed:
    """As above, from a provider of the other dialect, which has been put into our terms already."""
    error = failure.error
    log.error("provider_failed", provider=target.provider, model=target.upstream_model, error_type=error.type)
    return AttemptFailed(error, retryable=error.status in RETRYABLE, sent=True, status=error.status)


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


def note_unknown(values: tuple[tuple[str, str], ...] | list[tuple[str, str]], target: Target) -> None:
    """Count and log what a provider said that nobody here understands, under its own name."""
    for kind, name in values:
        metrics.unknown_upstream_value(target.dialect, kind)
        log.warning("unknown_upstream_value", provider=target.provider, field=kind, value=name)


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
