"""Serving one message: admit -> route -> attempt -> answer -> settle. The file to read first.

`serve` raises a `GatewayError` or returns an `Answer`: either a whole body, or a stream that the consumer
reads chunk by chunk. However it ends (well, badly, or because the client left), it is settled exactly once.
"""

from __future__ import annotations

import asyncio
import time

import msgspec

from gateway import metrics
from gateway.engine.attempt import MAX_ATTEMPTS, AttemptFailed, JsonAnswer, OpenStream, attempt
from gateway.engine.call import Call
from gateway.engine.live_stream import LiveStream
from gateway.engine.plane import Plane
from gateway.engine.settlement import CLIENT_CLOSED, Settlement
from gateway.errors import GatewayError, InternalError, Overloaded, Unavailable
from gateway.ids import new_attempt_id
from gateway.limits import headers as limit_headers
from gateway.limits.admission import Admission
from gateway.protocol.anthropic.usage import Usage
from gateway.tokens.quick import quick_estimate

# The provider's headers that a tenant sees: open-ended, since new ones appear with new features. Its limits,
# its request and its organization are the operator's business, not the tenant's.
_PASSED_ON = (b"anthropic-", b"x-simulated")
_HIDDEN = (
    b"anthropic-ratelimit-",
    b"anthropic-priority-",
    b"anthropic-organization-id",
    b"anthropic-workspace-id",
)


class Answer(msgspec.Struct, frozen=True):
    """Status 200: `headers`, and either `body` or `stream`."""

    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    stream: LiveStream | None = None


async def serve(call: Call, plane: Plane) -> Answer:
    """Raises `GatewayError`; its headers then hold the tenant's limits too."""
    attempt_id = new_attempt_id()
    admission = await _admit(call, str(attempt_id), plane)
    settlement = Settlement(call, admission, attempt_id, plane.limiter, plane.expectations, plane.spool)
    own_headers = limit_headers.of(admission)
    try:
        found = await _first_working_target(call, plane, settlement)
    except AttemptFailed as failure:
        settlement.failed(failure.error, sent=failure.sent)
        failure.error.headers.update((name.decode(), value.decode()) for name, value in own_headers)
        raise failure.error from failure
    except asyncio.CancelledError:
        if plane.interrupting:
            settlement.broken_off(Usage(), 0, status=Overloaded.status, error_type=Overloaded.type)
        else:
            settlement.broken_off(Usage(), 0, status=CLIENT_CLOSED, error_type="client_closed")
        raise
    headers = own_headers + _passed_on(found.headers)
    if isinstance(found, JsonAnswer):
        settlement.delivered(found.message.usage, found.message.stop_reason)
        return Answer(headers, body=found.body)
    return Answer(headers, stream=_live(found, call, plane, settlement))


async def _admit(call: Call, lease: str, plane: Plane) -> Admission:
    """Reserve under all limits of the caller, or refuse; while usage cannot be recorded nobody is served."""
    if plane.usage_cannot_be_recorded():
        raise Unavailable("Usage cannot be recorded at the moment. Please try again later.")
    principal, model = call.principal, call.model
    estimate = quick_estimate(call.body.raw)
    output = call.max_tokens
    if not principal.reserve_worst_case:
        estimate = plane.expectations.input_tokens(principal.key_id, model.name, estimate)
        output = plane.expectations.output_tokens(principal.key_id, model.name, output)
    started = time.perf_counter()
    admission = await plane.limiter.admit(call.workspace.scopes, lease, estimate, output)
    metrics.admission(time.perf_counter() - started)
    if admission.refusal is not None:
        error = admission.refusal.error()
        error.headers.update((name.decode(), value.decode()) for name, value in limit_headers.of(admission))
        raise error
    return admission


async def _first_working_target(call: Call, plane: Plane, settlement: Settlement) -> JsonAnswer | OpenStream:
    """Try the model's targets in order; nothing has been shown to the caller yet, so moving on is safe."""
    targets = call.model.ordered_targets()[:MAX_ATTEMPTS]
    if not targets:
        raise AttemptFailed(InternalError(f"No provider serves {call.model.name}."), retryable=False)
    for position, target in enumerate(targets, 1):
        settlement.begin(target)
        try:
            found = await attempt(call, target, plane.dialects)
        except AttemptFailed as failure:
            metrics.attempt_ended(target.provider, failure.error.type)
            if not failure.retryable or position == len(targets):
                raise
            settlement.attempt_failed(failure.error, sent=failure.sent)
        except GatewayError as error:
            raise AttemptFailed(error, retryable=False) from error
        else:
            metrics.attempt_ended(target.provider, "ok")
            settlement.first_token()
            return found
    raise AssertionError("the last target either answers or raises")


def _live(found: OpenStream, call: Call, plane: Plane, settlement: Settlement) -> LiveStream:
    metrics.first_token(time.perf_counter() - call.started)
    target = settlement.target
    return LiveStream(
        found,
        settlement,
        plane,
        request_id=call.request_id,
        idle_seconds=target.timeouts.idle,
        drain_on_disconnect=target.drain_on_disconnect,
    )


def _passed_on(headers: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    """The content type and the provider's open-ended headers, less what is not the tenant's business."""
    kept = []
    for name, value in headers:
        name = name.lower()
        if name == b"content-type" or (name.startswith(_PASSED_ON) and not name.startswith(_HIDDEN)):
            kept.append((name, value))
    return kept
