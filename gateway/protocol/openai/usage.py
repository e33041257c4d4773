"""Usage and finish reason of a chat completion, read as Anthropic would tell them."""

from __future__ import annotations

import msgspec

from gateway.protocol.anthropic.usage import OutputTokensDetails, Usage

_STOP_REASONS = {"length": "max_tokens", "content_filter": "refusal"}
_ORDINARY = {None, "stop", "tool_calls", "function_call"}


class PromptTokensDetails(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None


class CompletionTokensDetails(msgspec.Struct):
    reasoning_tokens: int | None = None


class OpenAIUsage(msgspec.Struct):
    """`usage` of a completion or a chunk. `prompt_cache_hit_tokens` is DeepSeek's name for cached tokens."""

    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    total_tokens: int | None = None
    prompt_tokens_details: PromptTokensDetails | None = None
    completion_tokens_details: CompletionTokensDetails | None = None
    prompt_cache_hit_tokens: int | None = None


def anthropic_usage(usage: OpenAIUsage) -> Usage:
    """Tokens in Anthropic's classes, none negative. A side that the provider did not tell stays None."""
    prompt, completion = _count(usage.prompt_tokens), _count(usage.completion_tokens)
    details = usage.prompt_tokens_details or PromptTokensDetails()
    written = _count(details.cache_write_tokens)
    cached = _count(details.cached_tokens) or _count(usage.prompt_cache_hit_tokens)
    reasoning = _count((usage.completion_tokens_details or CompletionTokensDetails()).reasoning_tokens)
    beyond = max(0, _count(usage.total_tokens) - prompt - completion)
    written_apart = 0 < written == beyond
    told_prompt, told_completion = usage.prompt_tokens is not None, usage.completion_tokens is not None
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


def _count(tokens: int | None) -> int:
    return max(0, tokens or 0)
