"""Usage and finish reason of a chat completion, read as Anthropic would tell them."""

from __future__ import annotations

import math

import msgspec

from gateway.protocol.anthropic.usage import OutputTokensDetails, Usage

CHARACTERS_PER_TOKEN = 4

_STOP_REASONS = {"length": "max_tokens", "content_filter": "refusal"}
_ORDINARY = {None, "stop", "tool_calls", "function_call"}


# Some send a float; what a float cannot count one by one is no count of tokens.
Tokens = int | float | None
_MOST = 2**53


class PromptTokensDetails(msgspec.Struct):
    cached_tokens: Tokens = None
    cache_write_tokens: Tokens = None


class CompletionTokensDetails(msgspec.Struct):
    reasoning_tokens: Tokens = None


class OpenAIUsage(msgspec.Struct):
    """`usage` of a completion or a chunk.

    Cached tokens are `prompt_cache_hit_tokens` at DeepSeek, and `cached_tokens` up here at Moonshot and Together.
    """

    prompt_tokens: Tokens = None
    completion_tokens: Tokens = None
    total_tokens: Tokens = None
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None
    prompt_cache_hit_tokens: Tokens = None
    cached_tokens: Tokens = None


def usage_of_answer(told: OpenAIUsage | None, *, input_estimate: int, delivered: int) -> tuple[Usage, bool]:
    """What the provider told, and whether a figure of the gateway's own stands in for a side that it did not.

    A prompt of nothing was not told: none is empty. An answer may be. `delivered` counts characters of output.
    """
    usage = anthropic_usage(told or OpenAIUsage())
    told_output = usage.output_tokens is not None
    told_input = bool(
        usage.input_tokens or usage.cache_read_input_tokens or usage.cache_creation_input_tokens
    )
    if not told_input:
        usage.input_tokens = max(1, input_estimate)
    if not told_output:
        usage.output_tokens = math.ceil(delivered / CHARACTERS_PER_TOKEN)
    return usage, not (told_input and told_output)


def anthropic_usage(usage: OpenAIUsage) -> Usage:
    """Tokens in Anthropic's classes. A side that the provider did not tell, or told as less than nothing, is None."""
    prompt, completion = _count(usage.prompt_tokens), _count(usage.completion_tokens)
    details = usage.prompt_tokens_details or PromptTokensDetails()
    written = _count(details.cache_write_tokens)
    told = (details.cached_tokens, usage.prompt_cache_hit_tokens, usage.cached_tokens)
    cached = next((count for count in map(_count, told) if count), 0)
    reasoning = _count((usage.completion_tokens_details or CompletionTokensDetails()).reasoning_tokens)
    beyond = max(0, _count(usage.total_tokens) - prompt - completion)
    written_apart = 0 < written == beyond
    told_prompt, told_completion = _is_told(usage.prompt_tokens), _is_told(usage.completion_tokens)
    reasoned_apart = told_prompt and told_completion and not written_apart and reasoning in (0, beyond)
    return Usage(
        input_tokens=max(0, prompt - cached - (0 if written_apart else written)) if told_prompt else None,
        output_tokens=completion + (beyond if reasoned_apart else 0) if told_completion else None,
        cache_creation_input_tokens=written,
        cache_read_input_tokens=cached,
        output_tokens_details=OutputTokensDetails(reasoning) if reasoning else None,
    )


def stop_reason(finish_reason: str | None, *, has_tool_calls: bool, refused: bool) -> tuple[str, bool]:
    """Anthropic's stop reason, and whether `finish_reason` is one that the API documents.

    What the message holds decides before the provider's word does: many say `stop` beside tool calls.
    """
    known = finish_reason in _ORDINARY or finish_reason in _STOP_REASONS
    if refused:
        return "refusal", known
    if finish_reason in _STOP_REASONS:
        return _STOP_REASONS[finish_reason], known
    return ("tool_use" if has_tool_calls else "end_turn"), known


def _is_told(tokens: Tokens) -> bool:
    return tokens is not None and 0 <= tokens < _MOST


def _count(tokens: Tokens) -> int:
    return int(tokens) if tokens is not None and _is_told(tokens) else 0
