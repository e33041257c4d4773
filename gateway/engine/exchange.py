"""Serving one message: admit -> route -> attempt -> answer -> settle. The file to read first.

`serve` raises a `GatewayError` or returns an `Answer`: either a whole body, or a stream that the consumer
reads chunk by chunk. However it ends (well, badly, or because the client left), it is settled exactly once.
"""

from __future__ import annotations

import asyncio
import time

import msgspec
import structlog

from gateway import metrics
from gateway.engine.attempt import AttemptFailed, JsonAnswer, OpenStream, attempt
from gateway.engine.call import Call
from gateway.engine.entrance import admit, limits_of
from gateway.engine.live_stream import LiveStream
from gateway.engine.nothing import asks_for_nothing, nothing
from gateway.engine.plane import Plane
from gateway.engine.route import Route, Step
from gateway.engine.settlement import CLIENT_CLOSED, Settlement
from gateway.errors import GatewayError, InternalError, Overloaded
from gateway.ids import new_attempt_id
from gateway.protocol.anthropic.thinking import signatures
from gateway.protocol.anthropic.usage import Usage

log = structlog.get_logger(__name__)

Headers = list[tuple[bytes, bytes]]

# The provider's headers that a tenant sees: open-ended, since new ones appear with new features. Its limits,
# its request and its organization are the operator's business, not the tenant's.
_PASSED_ON = (b"anthropic-", b"x-simulated")
_THOUGHTS = {"signed_thinking", "redacted_thinking", "unsigned_thinking", "input.reasoning"}
_HIDDEN = (
    b"anthropic-ratelimit-",
    b"anthropic-priority-",
    b"anthropic-organization-id",
    b"anthropic-workspace-id",
)


class Answer(msgspec.Struct, frozen=True):
    """Status 200: `headers`, and either `body` or `stream`."""

    headers: Headers
    body: bytes = b""
    stream: LiveStream | None = None


async def serve(call: Call, plane: Plane) -> Answer:
    """Raises `GatewayError`; its headers then hold the tenant's limits too."""
    attempt_id = new_attempt_id()
    admission = await admit(call, attempt_id, plane)
    settlement = Settlement(call, admission, attempt_id, plane.limiter, plane.expectations, plane.journal)
    signers = plane.signers if plane.directory.catalog.several_signers else None
    route = Route(call, plane.circuits, plane.stickiness, signers)
    own_headers = limits_of(call, admission)
    try:
        step, found = await _first_working_step(call, route, plane, settlement)
    except AttemptFailed as failure:
        settlement.failed(failure.error, sent=failure.sent)
        raise _refusal(failure.error, own_headers, route) from failure
    except GatewayError as error:  # no provider was asked
        settlement.failed(error, sent=False)
        raise _refusal(error, own_headers, route) from error
    except asyncio.CancelledError:
        if plane.interrupting:
            settlement.broken_off(Usage(), 0, status=Overloaded.status, error_type=Overloaded.type)
        else:
            settlement.broken_off(Usage(), 0, status=CLIENT_CLOSED, error_type="client_closed")
        raise
    except Exception:  # a fault of ours; what the provider may have counted is accounted for all the same
        settlement.failed(InternalError("An unexpected error has occurred in the gateway."), sent=True)
        raise
    headers = [*own_headers, *_told_of(step, route, call), *_passed_on(found.headers, step)]
    if isinstance(found, JsonAnswer):
        whole = found.whole
        if signers is not None:
            signed = signatures(whole.source or whole.body)
            signers.learn(call.principal.organization_id, step.target, signed)
        settlement.delivered(whole.usage, whole.stop_reason, estimated=whole.estimated)
        return Answer(headers, body=whole.body)
    return Answer(headers, stream=_live(found, step, call, plane, settlement))


async def _first_working_step(
    call: Call, route: Route, plane: Plane, settlement: Settlement
) -> tuple[Step, JsonAnswer | OpenStream]:
    """Try targets in order; nothing has been shown to the caller yet, so moving on is safe."""
    step = await route.first()
    if asks_for_nothing(call, step.target):
        route.attempts = 0
        return step, nothing(call)
    while True:
        settlement.begin(step.target)
        try:
            found = await attempt(call, step.target, step.passage, plane.dialects)
        except AttemptFailed as failure:
            metrics.attempt_ended(step.target.provider, failure.error.type)
            following = await route.next(failure, step.target)
            if following is None:
                raise
            if not await settlement.attempt_failed(failure.error, sent=failure.sent):
                raise  # what it cost was the last of a budget
            step = following
        else:
            metrics.attempt_ended(step.target.provider, "ok")
            route.succeeded(step.target)
            settlement.first_token()
            return step, found


def _live(found: OpenStream, step: Step, call: Call, plane: Plane, settlement: Settlement) -> LiveStream:
    metrics.first_token(time.perf_counter() - call.started)
    return LiveStream(found, step, call, settlement, plane)


def _refusal(error: GatewayError, own_headers: Headers, route: Route) -> GatewayError:
    error.headers.update((name.decode(), value.decode()) for name, value in own_headers)
    if route.attempts:
        error.headers["x-gateway-attempts"] = str(route.attempts)
    return error


def _told_of(step: Step, route: Route, call: Call) -> Headers:
    """Who answered, at which attempt (nobody, where no provider had to), and what of the request did not reach it."""
    headers: Headers = []
    if route.attempts:
        headers.append((b"x-gateway-provider", step.target.provider.encode()))
        headers.append((b"x-gateway-attempts", b"%d" % route.attempts))
    dropped = step.passage.dropped
    if dropped:
        headers.append((b"x-gateway-dropped", ", ".join(dropped).encode("ascii", "replace")))
        if not _THOUGHTS.isdisjoint(
            dropped
        ):  # only these change what a model remembers; a log line costs 0.1 ms
            log.info("thinking_left_out", request_id=call.request_id, fields=list(dropped))
    return headers


def _passed_on(headers: Headers, step: Step) -> Headers:
    """The content type and, where the answer is the provider's own, its open-ended headers, less what is not the
    tenant's business."""
    content_type = step.passage.content_type
    kept = [] if content_type is None else [(b"content-type", content_type)]
    for name, value in headers:
        name = name.lower()
        if name == b"content-type":
            kept += [(name, value)] if content_type is None else []
        elif name.startswith(_PASSED_ON) and not name.startswith(_HIDDEN):
            kept.append((name, value))
    return kept
