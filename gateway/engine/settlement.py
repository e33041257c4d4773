"""Settling: what an attempt used goes back to the limits and on to the ledger, exactly once.

Each attempt is in the journal before its provider is called. Nothing here waits: the command is on its way to Valkey
before the caller has the last byte, and what Valkey does not confirm the journal sends again.
"""

from __future__ import annotations

import asyncio
import functools
import math
import time
import uuid
from typing import Any

import msgspec
import structlog

from gateway.budgets import nanodollars
from gateway.directory.catalog import Target
from gateway.engine.call import Call
from gateway.errors import GatewayError
from gateway.ids import new_attempt_id
from gateway.limiters import Amounts
from gateway.limits.admission import Admission
from gateway.limits.expectation import Expectations
from gateway.limits.limiter import Limiter
from gateway.metering import event as ledger
from gateway.metering.event import UsageEvent
from gateway.metering.journal import Journal, JournalFull
from gateway.price import BATCH, STANDARD, charges
from gateway.protocol.anthropic.usage import Usage
from gateway.token_usage import TokenUsage

log = structlog.get_logger(__name__)

CHARACTERS_PER_TOKEN = 4.0
CLIENT_CLOSED = 499
DIED = "process_died"  # why an attempt has an error that nobody was told


class Outcome(msgspec.Struct, frozen=True):
    """How an attempt ended. `source` is `reported`, `estimated` or `unknown`."""

    status: int
    source: str
    usage: Usage
    error_type: str = ""
    stop_reason: str = ""


class Settlement:
    """The account of one call: failed attempts are recorded, the last one settles the admission.

    `attempt_id` is the first attempt's, which is the admission's lease too.
    """

    def __init__(
        self,
        call: Call,
        admission: Admission,
        attempt_id: uuid.UUID,
        limiter: Limiter,
        expectations: Expectations,
        journal: Journal,
    ) -> None:
        self._call = call
        self._admission = admission
        self._limiter = limiter
        self._expectations = expectations
        self._journal = journal
        self._attempt_id = attempt_id
        self._attempt = 1
        self._admitted = time.perf_counter()
        self._target: Target | None = None
        self._opened: UsageEvent | None = None
        self._first_token: float | None = None
        self._recorded = False
        self.settled = False

    @property
    def target(self) -> Target:
        """The target of the attempt under way."""
        assert self._target is not None, "no attempt has begun"
        return self._target

    def begin(self, target: Target) -> None:
        """A new attempt at `target`, written down as what it would be if nothing more were heard of it."""
        if self._target is not None:
            self._attempt += 1
            self._attempt_id = new_attempt_id()
        self._target, self._recorded = target, False
        self._opened = self._unheard(target)
        try:
            self._journal.opened(self._attempt_id, ledger.encode(self._opened))
        except (JournalFull, OSError) as problem:
            # Where Valkey is away too, requests are refused before it comes to that.
            log.critical("attempt_not_journalled", request_id=self._call.request_id, error=str(problem))

    @property
    def _later_attempt(self) -> uuid.UUID | None:
        """None while it is the first, by whose id the admission is known too."""
        return self._attempt_id if self._attempt > 1 else None

    def first_token(self) -> None:
        self._first_token = time.perf_counter()

    async def attempt_failed(self, error: GatewayError, *, sent: bool) -> bool:
        """Another target might be tried: this attempt's row, the admission stays open. Whether budgets allow that."""
        outcome = self._failure(error, sent=sent)
        self._recorded = True
        event, cost = self._written(outcome), self._cost(outcome)
        charged = self._limiter.charge(self._admission, event, cost=cost, attempt_id=self._attempt_id)
        self._watch(charged, event)
        if not self._admission.counters or not sent:
            return True
        try:
            return bool(await charged)
        except (
            Exception
        ):  # Valkey is away: what is reserved for this request is its own, unless its share is spent
            return self._admission.fits

    def failed(self, error: GatewayError, *, sent: bool) -> None:
        """The call failed: everything reserved goes back but what the provider may have counted."""
        self._settle(self._failure(error, sent=sent))

    def delivered(self, usage: Usage, stop_reason: str | None, *, estimated: bool = False) -> None:
        """The provider's own figures; `estimated` where it did not tell all of them."""
        source = "estimated" if estimated else "reported"
        if usage.input_tokens is None:
            usage.input_tokens = self._admission.amounts.input_tokens if estimated else 0
        self._settle(Outcome(200, source, usage, stop_reason=stop_reason or ""))
        if estimated:
            return
        self._expectations.learn(
            self._call.principal.key_id,
            self._call.model.name,
            uncached_input=_counted_input(usage),
            cached_input=usage.cache_read_input_tokens or 0,
            output=usage.output_tokens or 0,
            seconds=time.perf_counter() - self._call.started,
        )

    def broken_off(self, usage: Usage, delivered: int, *, status: int, error_type: str) -> None:
        """Cut short by client or provider: what the provider said so far, and output by what was delivered.

        `delivered` is characters of output that went through.
        """
        if usage.input_tokens is None:
            usage.input_tokens = self._admission.amounts.input_tokens
        seen = math.ceil(delivered / CHARACTERS_PER_TOKEN)
        usage.output_tokens = max(usage.output_tokens or 0, seen)
        self._settle(Outcome(status, "estimated", usage, error_type=error_type))

    def _failure(self, error: GatewayError, *, sent: bool) -> Outcome:
        if sent:
            usage = Usage(input_tokens=self._admission.amounts.input_tokens)
            return Outcome(error.status, "estimated", usage, error_type=error.type)
        return Outcome(error.status, "reported", Usage(), error_type=error.type)

    def _settle(self, outcome: Outcome) -> None:
        if self.settled:
            return
        self.settled = True
        usage = outcome.usage
        actual = Amounts(
            input_tokens=_counted_input(usage),
            output_tokens=usage.output_tokens or 0,
            tool_uses=searches(usage),
            fast=self._admission.amounts.fast,
        )
        if self._target is None or self._recorded:  # no provider was asked, or all of it was told already
            self._limiter.settle(self._admission, actual).add_done_callback(_forget)
            return
        event, cost = self._written(outcome), self._cost(outcome)
        settled = self._limiter.settle(
            self._admission, actual, event, cost=cost, attempt_id=self._later_attempt
        )
        self._watch(settled, event)

    def _written(self, outcome: Outcome) -> bytes:
        """The attempt's event, encoded as it is in the journal."""
        event = ledger.encode(self._event(outcome))
        try:
            self._journal.settled(self._attempt_id, event)
        except JournalFull as problem:
            log.error("usage_not_journalled", request_id=self._call.request_id, error=str(problem))
        except Exception:  # whatever it is, limits are settled and Valkey is told
            log.exception("usage_not_journalled", request_id=self._call.request_id)
        return event

    def _watch(self, sent: asyncio.Future[Any], event: bytes) -> None:
        sent.add_done_callback(functools.partial(self._confirm, self._attempt_id, event))

    def _confirm(self, attempt_id: uuid.UUID, event: bytes, sent: asyncio.Future[Any]) -> None:
        if not sent.cancelled() and sent.exception() is None:
            return
        if not self._journal.not_sent(attempt_id, event):
            # Requests are refused before the journal is full; this one was under way already.
            log.critical("usage_event_lost", request_id=self._call.request_id, record=event.decode())

    def _cost(self, outcome: Outcome) -> int:
        """Nanodollars, where any budget counts them."""
        if not self._admission.counters:
            return 0
        usage = outcome.usage
        tier = self._tier(usage)
        return nanodollars(charges(self._call.model.price, tokens(usage), tier, searches(usage)).total)

    def _tier(self, usage: Usage) -> str:
        """What a batch sends costs what a batch costs, however it was carried."""
        return BATCH if self._call.batched else (usage.service_tier or STANDARD)[:32]

    def _unheard(self, target: Target) -> UsageEvent:
        """What is to be said of the attempt if nothing more is heard of it: all that was reserved was used."""
        call, reserved = self._call, self._admission.amounts
        return UsageEvent(
            attempt_id=self._attempt_id,
            request_id=call.request_id,
            organization_id=call.principal.organization_id,
            workspace_id=call.workspace.id,
            api_key_id=call.principal.key_id,
            endpoint=call.endpoint,
            model_requested=call.model_requested,
            model=call.model.name,
            provider=target.provider,
            upstream_model=target.upstream_model,
            stream=call.stream,
            status=500,
            usage_source="unknown",
            usage=TokenUsage(reserved.input_tokens, output_tokens=reserved.output_tokens),
            latency_ms=_ms(time.perf_counter() - call.started),
            attempt=self._attempt,
            error_type=DIED,
            service_tier=BATCH if call.batched else STANDARD,
            price_version=call.model.price_version,
            user_agent=call.user_agent,
            session_id=call.session_id,
            checked_ms=None if call.checked is None else _ms(call.checked - call.started),
            admitted_ms=_ms(self._admitted - call.started),
            address=call.address,
            journal=self._journal.owner,
        )

    def _event(self, outcome: Outcome) -> UsageEvent:
        """The same attempt as it ended."""
        assert self._opened is not None, "no attempt has begun"
        started, usage = self._call.started, outcome.usage
        return msgspec.structs.replace(
            self._opened,
            status=outcome.status,
            usage_source=outcome.source,
            usage=tokens(usage),
            latency_ms=_ms(time.perf_counter() - started),
            time_to_first_token_ms=None if self._first_token is None else _ms(self._first_token - started),
            error_type=outcome.error_type,
            stop_reason=outcome.stop_reason[:64],
            web_search_requests=searches(usage),
            service_tier=self._tier(usage),
            inference_geo=(usage.inference_geo or "")[:32],
            journal=self._journal.owner,
        )


def _counted_input(usage: Usage) -> int:
    """Input that counts against limits: cache writes do, cache reads do not."""
    return (usage.input_tokens or 0) + (usage.cache_creation_input_tokens or 0)


def tokens(usage: Usage) -> TokenUsage:
    return TokenUsage(
        usage.input_tokens or 0,
        usage.cache_read_input_tokens or 0,
        usage.cache_write_5m,
        usage.cache_write_1h,
        usage.output_tokens or 0,
    )


def searches(usage: Usage) -> int:
    tools = usage.server_tool_use
    return (tools and tools.web_search_requests) or 0


def _ms(seconds: float) -> int:
    return round(seconds * 1000)


def _forget(future: asyncio.Future[Any]) -> None:
    if not future.cancelled():
        future.exception()
