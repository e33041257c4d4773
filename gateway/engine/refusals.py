"""Tells why a limit refused a request, for whoever asks later. A diagnosis: what cannot be told is let go."""

from __future__ import annotations

import asyncio

from gateway import metrics
from gateway.budgets import CREDIT, NANODOLLARS_A_CENT
from gateway.engine.call import Call
from gateway.limits.admission import Admission, BudgetRefusal, Refusal
from gateway.metering import refusal as diagnosis
from gateway.metering.refusal import LimitRefusal
from gateway.shards import refusals_stream, shard_of
from gateway.valkey import Valkey


class Refusals:
    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    def note(self, call: Call, admission: Admission) -> None:
        refusal = admission.refusal
        if isinstance(refusal, Refusal):
            told = _of_limit(call, admission, refusal)
        else:
            assert refusal is not None
            told = _of_budget(call, admission, refusal)
        metrics.refused(told.kind)
        stream = refusals_stream(shard_of(call.principal.organization_id))
        entry = (diagnosis.FIELD, diagnosis.encode(told))
        self._valkey.command("XADD", stream, "MAXLEN", "~", diagnosis.LONGEST, "*", *entry).add_done_callback(
            _ignore
        )


def _of_limit(call: Call, admission: Admission, refusal: Refusal) -> LimitRefusal:
    scope = refusal.scope
    return LimitRefusal(
        request_id=call.request_id,
        at=admission.now_ms,
        organization_id=call.principal.organization_id,
        workspace_id=call.workspace.id,
        api_key_id=call.principal.key_id,
        model=call.model.name,
        endpoint=call.endpoint,
        kind="rate_limit",
        scope=scope.kind,  # type: ignore[arg-type] # one of those by construction
        scope_id=scope.id,
        pool=admission.pool.name,
        limiter=refusal.limit,
        limit=scope.limit(refusal.limit),
        needed=refusal.needed,
        remaining=refusal.remaining,
        retry_after_ms=refusal.wait_ms,
    )


def _of_budget(call: Call, admission: Admission, refusal: BudgetRefusal) -> LimitRefusal:
    budget, end = refusal.counter.budget, refusal.counter.end_ms
    return LimitRefusal(
        request_id=call.request_id,
        at=admission.now_ms,
        organization_id=call.principal.organization_id,
        workspace_id=call.workspace.id,
        api_key_id=call.principal.key_id,
        model=call.model.name,
        endpoint=call.endpoint,
        kind="credit" if budget.period == CREDIT else "spend_limit",
        scope=budget.scope,
        scope_id=budget.scope_id,
        pool=admission.pool.name,
        limiter=budget.period,
        limit=budget.amount // NANODOLLARS_A_CENT,
        needed=-(-refusal.needed // NANODOLLARS_A_CENT),
        remaining=refusal.remaining // NANODOLLARS_A_CENT,
        retry_after_ms=max(0, end - admission.now_ms) if end else None,
        spend_limit_id="" if budget.period == CREDIT else budget.id,
    )


def _ignore(future: asyncio.Future[object]) -> None:
    if not future.cancelled():
        future.exception()
