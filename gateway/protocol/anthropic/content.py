"""The content of an Anthropic request, as far as another dialect can carry it.

A `Block` holds the fields of every kind of block; its `type` says which of them count. Unknown fields pass.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple, TypeVar

import msgspec

from gateway.errors import InvalidRequest

T = TypeVar("T")


class Source(msgspec.Struct):
    """`source` of an image or a document; `content` is a string or blocks, undecoded."""

    type: str
    media_type: str | None = None
    data: str | None = None
    url: str | None = None
    content: msgspec.Raw = msgspec.Raw()


class Block(msgspec.Struct):
    """One content block; `input` and `content` are undecoded JSON (empty when absent)."""

    type: str
    text: str | None = None
    source: Source | str | None = None
    title: str | None = None
    context: str | None = None
    thinking: str | None = None
    signature: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = msgspec.Raw()
    tool_use_id: str | None = None
    tool_name: str | None = None
    content: msgspec.Raw = msgspec.Raw()
    is_error: bool | None = None
    citations: msgspec.Raw = msgspec.Raw()


class MessageOutputConfig(msgspec.Struct):
    effort: str | None = None


class Message(msgspec.Struct):
    """The last two stand in `system` messages only: how the turn is to be answered, and until when the text counts."""

    role: str
    content: str | list[Block] | None = None
    output_config: MessageOutputConfig | None = None
    clear_at: str | None = None


class PlacedBlock(NamedTuple):
    """A block and where the caller wrote it."""

    message: int
    position: int
    block: Block

    def refusal(self, problem: str) -> InvalidRequest:
        return InvalidRequest(f"messages.{self.message}.content.{self.position}: {problem}")


class Turn(NamedTuple):
    """Consecutive messages of one role, which Anthropic reads as one; `effort` where a `system` message sets it."""

    role: str
    blocks: list[PlacedBlock]
    effort: str | None = None


_messages: msgspec.json.Decoder[list[Message]] = msgspec.json.Decoder(list[Message])
_content = msgspec.json.Decoder(str | list[Block] | None)


def turns(raw: msgspec.Raw) -> list[Turn]:
    """The conversation of `messages`, same-role neighbours merged; raises `InvalidRequest`."""
    merged: list[Turn] = []
    messages = decoded(raw, "messages", _messages)
    last_said = max((index for index, message in enumerate(messages) if message.role == "user"), default=0)
    for index, message in enumerate(messages):
        if message.role not in ("user", "assistant", "system"):
            raise InvalidRequest(f"messages.{index}.role: Input should be 'user', 'assistant' or 'system'")
        if message.role == "system" and message.clear_at == "next_user_message" and index < last_said:
            continue
        if not merged or merged[-1].role != message.role:
            merged.append(Turn(message.role, []))
        merged[-1].blocks.extend(
            PlacedBlock(index, at, block) for at, block in enumerate(_blocks(message.content))
        )
        if message.output_config and message.output_config.effort:
            merged[-1] = merged[-1]._replace(effort=message.output_config.effort)
    return merged


def effort_now(conversation: list[Turn]) -> str | None:
    """What `system` messages after the last answer say of the next one's effort."""
    since = itertools.takewhile(lambda turn: turn.role != "assistant", reversed(conversation))
    return next((turn.effort for turn in since if turn.effort), None)


def blocks_of(raw: msgspec.Raw, field: str) -> list[Block]:
    """A string, a list of blocks, null or nothing, as blocks; raises `InvalidRequest` naming `field`."""
    return _blocks(decoded(raw, field, _content)) if memoryview(raw) else []


def decoded(raw: msgspec.Raw, field: str, decoder: msgspec.json.Decoder[T]) -> T:
    """Raises `InvalidRequest` as `field.0.part: what is wrong`."""
    try:
        return decoder.decode(raw)
    except msgspec.ValidationError as problem:
        reason, _, path = str(problem).partition(" - at `$")
        place = path.rstrip("`").replace("[...]", "").replace("[", ".").replace("]", "")
        raise InvalidRequest(f"{field}{place}: {reason}") from None


def _blocks(content: str | list[Block] | None) -> list[Block]:
    if isinstance(content, str):
        return [Block("text", text=content)]
    return content or []
