"""A chat completion as providers send it: every field may be null or missing, and several have two names."""

from __future__ import annotations

import msgspec

from gateway.protocol.openai.usage import OpenAIUsage


class FunctionCall(msgspec.Struct):
    """`arguments` is a JSON string by the book; some send the object itself."""

    name: str | None = None
    arguments: str | dict[str, msgspec.Raw] | None = None


class CallFragment(msgspec.Struct):
    """A tool call, or in a stream a piece of one; there `index` says of which."""

    index: int | None = None
    id: str | None = None
    function: FunctionCall | None = None


class ContentPart(msgspec.Struct):
    """A part of `content` where a provider sends a list: text, refusal, or Mistral's list of thoughts."""

    type: str = "text"
    text: str | None = None
    refusal: str | None = None
    thinking: str | list[ContentPart] | None = None


class AssistantMessage(msgspec.Struct):
    """`reasoning` may be anything; only a string is read."""

    content: str | list[ContentPart] | None = None
    reasoning_content: object = None
    reasoning: object = None
    refusal: str | None = None
    tool_calls: list[CallFragment] | None = None
    function_call: FunctionCall | None = None


class Choice(msgspec.Struct):
    """`stop_reason` (vLLM) and `matched_stop` (SGLang) tell which stop sequence ended the text, if a string."""

    message: AssistantMessage | None = None
    finish_reason: str | None = None
    stop_reason: object = None
    matched_stop: object = None


class ChatCompletion(msgspec.Struct):
    id: str | None = None
    choices: list[Choice] | None = None
    usage: OpenAIUsage | None = None
    error: object = None
