"""The body of a Messages request, as far as the simulator looks at it; what it does not know it ignores."""

from __future__ import annotations

import re

import msgspec
from msgspec import Raw, Struct

from gateway.errors import InvalidRequest


class Source(Struct, gc=False):
    """Where an image or a document comes from."""

    type: str = ""
    media_type: str = ""
    data: str = ""


class Block(Struct):
    """Any content block: the union of the fields that matter here."""

    type: str
    text: str | None = None
    source: Source | str | None = None
    thinking: str | None = None
    signature: str | None = None
    data: str | None = None
    id: str | None = None
    name: str | None = None
    input: Raw = Raw()
    tool_use_id: str | None = None
    content: str | list[Block] | Block | None = None
    is_error: bool | None = None


class Message(Struct):
    role: str
    content: str | list[Block]

    @property
    def blocks(self) -> list[Block]:
        """The content as blocks, whichever way it was written."""
        return [Block("text", text=self.content)] if isinstance(self.content, str) else self.content


class Tool(Struct):
    name: str | None = None
    type: str | None = None
    description: str | None = None
    input_schema: Raw = Raw()

    @property
    def is_custom(self) -> bool:
        return self.type in (None, "custom")


class ToolChoice(Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool = False


class Thinking(Struct):
    type: str
    budget_tokens: int | None = None
    display: str | None = None


class Format(Struct):
    type: str
    schema: Raw = Raw()


class OutputConfig(Struct):
    effort: str | None = None
    format: Format | None = None


class Request(Struct):
    """One request; `max_tokens` is absent when only tokens are counted."""

    model: str
    messages: list[Message]
    max_tokens: int = 0
    system: str | list[Block] | None = None
    stream: bool = False
    stop_sequences: list[str] | None = None
    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: Format | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    thread: Raw = Raw(b"null")

    @property
    def answer_format(self) -> Format | None:
        """The wanted shape of the answer, by its current or its older name."""
        return (self.output_config and self.output_config.format) or self.output_format

    @property
    def last_user_text(self) -> str:
        """What the caller said last, text blocks joined by line breaks; empty after a bare tool result."""
        turn = next(message for message in reversed(self.messages) if message.role == "user")
        texts = (block.text or "" for block in turn.blocks if block.type == "text")
        return "\n".join(text for text in texts if not _is_reminder(text))


def _is_reminder(text: str) -> bool:
    """A coding agent's own words beside those of its user."""
    text = text.strip()
    return text.startswith("<system-reminder>") and text.endswith("</system-reminder>")


_decoder = msgspec.json.Decoder(Request)


def parse(body: bytes) -> Request:
    """Decode a body. Raises `InvalidRequest` that names the field, as Anthropic words it."""
    try:
        return _decoder.decode(body)
    except msgspec.ValidationError as problem:
        raise InvalidRequest(_in_their_words(str(problem))) from None
    except msgspec.DecodeError:
        raise InvalidRequest("The request body is not valid JSON.") from None


_KINDS = {
    "str": "a valid string",
    "int": "a valid integer",
    "float": "a valid number",
    "bool": "a valid boolean",
    "array": "a valid list",
    "object": "a valid dictionary",
}


def _in_their_words(problem: str) -> str:
    """From "Expected `str`, got `int` - at `$.system`" to "system: Input should be a valid string"."""
    what, _, where = problem.partition(" - at `$")
    path = re.sub(r"\[(\d+|\.\.\.)\]", r".\1", where.rstrip("`")).strip(".")
    if missing := re.search(r"missing required field `(\w+)`", what):
        return f"{path + '.' if path else ''}{missing[1]}: Field required"
    expected = re.search(r"Expected `([\w |]+)`", what)
    kinds = [_KINDS[kind] for kind in (expected[1].split(" | ") if expected else []) if kind in _KINDS]
    return f"{path}: {'Input should be ' + ' or '.join(kinds) if kinds else what}"
