"""One `chat.completion.chunk` as providers really send it: anything may be missing, null or said twice."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.protocol.anthropic.relay import MalformedStream
from gateway.protocol.openai.completion import CallFragment, ContentPart, FunctionCall
from gateway.protocol.openai.errors import Detail
from gateway.protocol.openai.half_characters import decoded
from gateway.protocol.openai.usage import OpenAIUsage


class Unreadable(MalformedStream):
    def __init__(self) -> None:
        super().__init__("The provider sent a chunk that cannot be read.")


class Delta(msgspec.Struct):
    content: str | list[ContentPart] | None = None
    reasoning_content: object = None  # only a string is read
    reasoning: object = None
    refusal: str | None = None
    tool_calls: list[CallFragment] | None = None
    function_call: FunctionCall | None = None
    role: msgspec.Raw = msgspec.Raw()
    reasoning_details: msgspec.Raw = msgspec.Raw()  # OpenRouter: the same reasoning once more, in parts


class Choice(msgspec.Struct):
    """`stop_reason` (vLLM) and `matched_stop` (SGLang) tell what ended the text, a stop sequence if a string."""

    index: int | None = None
    delta: Delta | None = None
    finish_reason: str | None = None
    stop_reason: object = None
    matched_stop: object = None


class Chunk(msgspec.Struct):
    """`message` stands beside `object: "error"`, an older way of vLLM to tell of an error."""

    id: Any = None  # a string by the book
    choices: list[Choice] | None = None
    usage: OpenAIUsage | None = None
    error: Detail | str | None = None
    object: str | None = None
    message: str | None = None
    type: str | None = None
    code: str | int | None = None

    @property
    def failure(self) -> Detail | None:
        if self.error is not None:
            return Detail(self.error) if isinstance(self.error, str) else self.error
        if self.object == "error":
            return Detail(self.message, self.type, self.code)
        return None


class _KnownDelta(Delta, forbid_unknown_fields=True):
    pass


class _KnownChoice(Choice):
    delta: _KnownDelta | None = None


class _KnownChunk(Chunk):
    choices: list[_KnownChoice] | None = None  # type: ignore[assignment] # only ever read


class _OpenChoice(msgspec.Struct):
    delta: dict[str, object] | None = None


class _OpenChunk(msgspec.Struct):
    choices: list[_OpenChoice] | None = None


_known = msgspec.json.Decoder(_KnownChunk)
_tolerant = msgspec.json.Decoder(Chunk)
_open = msgspec.json.Decoder(_OpenChunk)
_FIELDS = frozenset(Delta.__struct_fields__)


def read(data: bytes) -> tuple[Chunk, list[str]]:
    """The chunk, and the names of fields in its deltas that say something nobody here understands.

    Raises `Unreadable` for what is no JSON object or has another shape.
    """
    try:
        return decoded(data, _known), []
    except msgspec.ValidationError:  # an unknown field, or another shape: the tolerant decoder tells which
        return _read_tolerantly(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable from None


def _read_tolerantly(data: bytes) -> tuple[Chunk, list[str]]:
    try:
        return decoded(data, _tolerant), _unknown_fields(decoded(data, _open))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise Unreadable from None


def _unknown_fields(chunk: _OpenChunk) -> list[str]:
    deltas = [choice.delta or {} for choice in chunk.choices or []]
    return [name for delta in deltas for name, value in delta.items() if value and name not in _FIELDS]
