"""What a chat completion and its chunks tell of an Anthropic answer: blocks, the reason of its end, usage."""

from __future__ import annotations

import msgspec

from gateway.protocol.anthropic.usage import OutputTokensDetails, Usage

_FINISH_REASONS = {
    "tool_use": "tool_calls",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "refusal": "content_filter",
}


class Block(msgspec.Struct):
    """The fields of the blocks that are told; `input` is undecoded JSON."""

    type: str
    text: str = ""
    thinking: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


class _Kind(msgspec.Struct):
    type: str


class StopDetails(msgspec.Struct):
    """Beside a refusal: why, if the model's provider tells."""

    explanation: str | None = None


class PromptTokensDetails(msgspec.Struct):
    cached_tokens: int
    cache_write_tokens: int


class CompletionTokensDetails(msgspec.Struct):
    reasoning_tokens: int


class ChatUsage(msgspec.Struct):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: PromptTokensDetails
    completion_tokens_details: CompletionTokensDetails


_block = msgspec.json.Decoder(Block)
_kind = msgspec.json.Decoder(_Kind)


def block_of(raw: msgspec.Raw) -> Block | None:
    """None for a kind that is not told, calls of Anthropic's own tools say; raises as msgspec does."""
    if _kind.decode(raw).type not in ("text", "thinking", "tool_use"):
        return None
    return _block.decode(raw)


def finish_reason(stop_reason: str | None, *, has_calls: bool, functions: bool) -> str:
    """Every reason that is not one of these is an ordinary end."""
    if stop_reason is None and has_calls:
        stop_reason = "tool_use"
    reason = _FINISH_REASONS.get(stop_reason or "", "stop")
    return "function_call" if functions and reason == "tool_calls" else reason


def chat_usage(usage: Usage) -> ChatUsage:
    """The whole prompt in one figure, as OpenAI counts it; what was read from or written to a cache within it."""
    read, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    prompt, completion = (usage.input_tokens or 0) + read + written, usage.output_tokens or 0
    thinking = (usage.output_tokens_details or OutputTokensDetails()).thinking_tokens or 0
    return ChatUsage(
        prompt,
        completion,
        prompt + completion,
        PromptTokensDetails(read, written),
        CompletionTokensDetails(thinking),
    )
