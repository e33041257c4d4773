"""What a request will take, before anybody knows: what is expected of its limits, and the worst case of its budgets."""

from __future__ import annotations

from gateway.budgets import nanodollars
from gateway.engine.call import Call
from gateway.limiters import Amounts
from gateway.limits.expectation import Expectations
from gateway.price import BATCH, STANDARD, charges
from gateway.token_usage import TokenUsage

_SEARCH = b'"web_search_'  # the type of Anthropic's tool, which the provider uses by itself
_FAST = b'"fast"'
_CACHED = b'"cache_control"'
_AN_HOUR = b'"1h"'


def amounts_of(call: Call, estimate: int, expectations: Expectations) -> Amounts:
    """`estimate` is of all input. Where the tier reserves the worst case nothing is expected to be less."""
    output = call.max_tokens
    if not call.principal.reserve_worst_case:
        estimate = expectations.input_tokens(call.principal.key_id, call.model.name, estimate)
        output = expectations.output_tokens(call.principal.key_id, call.model.name, output)
    return Amounts(
        input_tokens=estimate,
        output_tokens=output,
        tool_uses=1 if _SEARCH in call.body.raw else 0,
        fast=bytes(call.body.fields.get("speed", b"")) == _FAST,
    )


def worst_cost(call: Call, estimate: int) -> int:
    """Nanodollars: all input at the dearest rate that it may be charged at, and every token of output.

    Writing to a cache costs more than reading afresh at some providers, and nothing at others.
    """
    raw, output = call.body.raw, call.max_tokens
    ways = [TokenUsage(input_tokens=estimate, output_tokens=output)]
    if _CACHED in raw:
        ways.append(TokenUsage(cache_write_5m_tokens=estimate, output_tokens=output))
        if _AN_HOUR in raw:
            ways.append(TokenUsage(cache_write_1h_tokens=estimate, output_tokens=output))
    searches = 1 if _SEARCH in raw else 0
    tier = BATCH if call.batched else STANDARD
    return max(nanodollars(charges(call.model.price, way, tier, searches).total) for way in ways)
