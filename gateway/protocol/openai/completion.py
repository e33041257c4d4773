"""A chat completion as providers send it: every field may be null or missing, and several have two names."""

from __future__ import annotations

import msgspec

from gateway.protocol.openai.half_characters import decoded
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


PARTS = ("text", "thinking", "refusal")


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
    role: msgspec.Raw = msgspec.Raw()
    reasoning_details: msgspec.Raw = msgspec.Raw()  # OpenRouter: the same reasoning once more, in parts


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


class _KnownMessage(AssistantMessage, forbid_unknown_fields=True):
    annotations: list[msgspec.Raw] | None = None  # OpenAI always sends them, nearly always empty


class _KnownChoice(Choice):
    message: _KnownMessage | None = None


class _KnownCompletion(ChatCompletion):
    choices: list[_KnownChoice] | None = None  # type: ignore[assignment] # only ever read


class _OpenChoice(msgspec.Struct):
    message: dict[str, object] | None = None


class _OpenCompletion(msgspec.Struct):
    choices: list[_OpenChoice] | None = None


_known = msgspec.json.Decoder(_KnownCompletion)
_tolerant = msgspec.json.Decoder(ChatCompletion)
_open = msgspec.json.Decoder(_OpenCompletion)
_FIELDS = frozenset(AssistantMessage.__struct_fields__)


def read(body: bytes) -> tuple[ChatCompletion, list[str]]:
    """The completion, and the names of fields in its message that say something nobody here understands.

    Raises `msgspec.DecodeError`, `UnicodeDecodeError` or `RecursionError` for what is no completion.
    """
    try:
        known = decoded(body, _known)
    except msgspec.ValidationError:  # an unknown field, or another shape: the tolerant decoder tells which
        return decoded(body, _tolerant), _unknown_fields(decoded(body, _open))
    message = known.choices[0].message if known.choices else None
    return known, ["annotations"] if message is not None and message.annotations else []


def _unknown_fields(completion: _OpenCompletion) -> list[str]:
    message = (completion.choices[0].message if completion.choices else None) or {}
    return [name for name, value in message.items() if value and name not in _FIELDS]
