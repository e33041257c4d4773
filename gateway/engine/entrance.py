"""The entrance: what a call reserves under its limits and budgets before anything else happens, or why it may not."""

from __future__ import annotations

import time
import uuid

import msgspec

from gateway import metrics
from gateway.directory.store import StoreUnavailable
from gateway.engine.call import Call
from gateway.engine.plane import Plane
from gateway.engine.reservation import amounts_of, worst_cost
from gateway.errors import GatewayError, Unavailable
from gateway.ids import attempt_time
from gateway.limit_pools import TOKEN_COUNT
from gateway.limiters import CONCURRENT, Amounts
from gateway.limits import headers as limit_headers
from gateway.limits.admission import Admission, BudgetRefusal, Refusal
from gateway.tokens.quick import quick_estimate

# How long a request waits for somebody to find out what was spent of its budgets.
PATIENCE_SECONDS = 3.0

# How long what a batch sends waits before it asks again: without Valkey, and for what others have reserved.
WITHOUT_VALKEY_SECONDS = 1.0
RESERVED_SECONDS = 0.5

Headers = list[tuple[bytes, bytes]]


class NotYet(Exception):
    """What a batch sends can wait: for so many `seconds` there is no room for it."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no room for {seconds:g} s")
        self.seconds = seconds


async def admit(call: Call, attempt_id: uuid.UUID, plane: Plane) -> Admission:
    """Reserve under all limits and budgets of the caller, or raise `GatewayError`, or `NotYet` where it is `batched`.

    While usage cannot be recorded, or what was spent not be known, nobody is served.
    """
    if plane.usage_cannot_be_recorded():
        raise Unavailable("Usage cannot be recorded at the moment. Please try again later.")
    estimate = quick_estimate(call.body.raw)
    amounts = amounts_of(call, estimate, plane.expectations)
    started = time.perf_counter()
    if call.workspace.budgets:
        admission = await _with_budgets(call, attempt_id, amounts, estimate, plane)
    else:
        strict = call.principal.reserve_worst_case
        admission = await plane.limiter.admit(call.pool, str(attempt_id), amounts, strict=strict)
    metrics.admission(time.perf_counter() - started)
    if call.batched:
        _let_wait(admission, plane)
    if admission.refusal is not None:
        raise _refused(call, admission, plane)
    return admission


async def admit_count(call: Call, attempt_id: uuid.UUID, plane: Plane) -> Admission:
    """Counting tokens has a pool of its own, and costs nothing: it never takes from messages."""
    admission = await plane.limiter.admit(call.workspace.pools.of(TOKEN_COUNT), str(attempt_id), Amounts())
    if admission.refusal is not None:
        raise _refused(call, admission, plane)
    return admission


def limits_of(call: Call, admission: Admission) -> Headers:
    """The tenant's limits by Anthropic's names, and once more by those that OpenAI's clients read."""
    headers = limit_headers.of(admission)
    return headers + limit_headers.openai(admission) if call.surface.dialect == "openai" else headers


async def _with_budgets(
    call: Call, attempt_id: uuid.UUID, amounts: Amounts, estimate: int, plane: Plane
) -> Admission:
    """Under a counter that nobody knows, when it is known."""
    strict = call.principal.reserve_worst_case
    counters = call.workspace.budgets.counters(attempt_id.int >> 80)
    cost = worst_cost(call, estimate)
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        admission = await plane.limiter.admit(
            call.pool, str(attempt_id), amounts, counters=counters, cost=cost, strict=strict
        )
        if admission.unknown is None:
            plane.auditor.look_after(counters)
            return admission
        try:
            await plane.auditor.find_out(admission.unknown, alone=admission.local)
        except StoreUnavailable as problem:
            raise Unavailable(_UNCHECKED) from problem
    raise Unavailable(_UNCHECKED)


_UNCHECKED = "Spend limits cannot be checked at the moment. Please try again."


def _let_wait(admission: Admission, plane: Plane) -> None:
    """A batch takes no part in how limits are shared without Valkey, and waits for what others will give back."""
    if admission.local and admission.admitted:
        plane.limiter.settle(admission, Amounts())
    if admission.local:
        raise NotYet(WITHOUT_VALKEY_SECONDS)
    refusal = admission.refusal
    if isinstance(refusal, Refusal) and refusal.wait_ms is not None:
        raise NotYet(refusal.wait_ms / 1000)
    if isinstance(refusal, BudgetRefusal) and refusal.fits_later:
        raise NotYet(RESERVED_SECONDS)


def _refused(call: Call, admission: Admission, plane: Plane) -> GatewayError:
    """The error, with the tenant's limits beside it; and a record of it for whoever asks why."""
    refusal = admission.refusal
    if isinstance(refusal, Refusal):
        admission.refusal = refusal = _with_a_wait(call, refusal, plane)
        error = refusal.error()
    else:
        assert refusal is not None
        error = refusal.error(admission.now_ms)
    plane.refusals.note(call, admission)
    error.headers.update((name.decode(), value.decode()) for name, value in limits_of(call, admission))
    return error


def _with_a_wait(call: Call, refusal: Refusal, plane: Plane) -> Refusal:
    """For a place one waits until who has it longest is done: as long as such requests take."""
    if refusal.limit != CONCURRENT or not refusal.oldest:
        return refusal
    began = attempt_time(uuid.UUID(refusal.oldest)).timestamp()
    elapsed = max(0.0, time.time() - began)
    seconds = plane.expectations.seconds_left(call.principal.key_id, call.model.name, elapsed)
    return msgspec.structs.replace(refusal, wait_ms=round(seconds * 1000))
