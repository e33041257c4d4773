"""The items of a Responses request's `input`: messages, calls, their outputs, and thoughts, in one list."""

from __future__ import annotations

import msgspec

from gateway.protocol.anthropic.content import decoded


class Part(msgspec.Struct):
    """One part of a message, an output or a thought; `type` says which of the fields count."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: str | None = None
    file_id: str | None = None
    file_data: str | None = None
    file_url: str | None = None
    filename: str | None = None
    encrypted_content: str | None = None


class Item(msgspec.Struct):
    """The fields of every kind of item; a message may come without a `type`. Unknown fields pass.

    `input` is a custom tool's text, `arguments` a function's JSON in a string; `output`, `action`, `operation`
    and `tools` are undecoded JSON (empty when absent).
    """

    type: str = "message"
    role: str = ""
    content: str | list[Part] | None = None
    id: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    arguments: msgspec.Raw = msgspec.Raw()
    input: str | None = None
    output: msgspec.Raw = msgspec.Raw()
    action: msgspec.Raw = msgspec.Raw()
    operation: msgspec.Raw = msgspec.Raw()
    summary: list[Part] | None = None
    encrypted_content: str | None = None
    tools: msgspec.Raw = msgspec.Raw()


_input = msgspec.json.Decoder(str | list[Item])
_parts = msgspec.json.Decoder(list[Part])


def items_of(raw: msgspec.Raw) -> list[Item]:
    """`input`, of which a string is what the user says; raises `InvalidRequest` with the place of a fault."""
    given = decoded(raw, "input", _input)
    return [Item(role="user", content=given)] if isinstance(given, str) else given


def parts_of(raw: msgspec.Raw, field: str) -> list[Part]:
    return decoded(raw, field, _parts)
