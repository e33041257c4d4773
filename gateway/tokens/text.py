"""Which parts of a Messages request are input tokens: PURE.

Read leniently: a field of a wrong shape counts nothing here, whoever answers for the model refuses it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import msgspec

from gateway.tokens.documents import UNSEEN_DOCUMENT_TOKENS, pdf_tokens
from gateway.tokens.images import MOST_TOKENS, image_tokens

Part = str | int  # text to be counted, or a fixed number of tokens

# Fields of blocks and tools that steer the request and are no input.
_NOT_INPUT = frozenset(
    {"cache_control", "signature", "caller", "citations", "defer_loading", "eager_input_streaming"}
)


class Countable(NamedTuple):
    """The texts that count, tokens of media, and how many messages and tools carry them."""

    texts: list[str]
    media_tokens: int
    messages: int
    tools: int


def countable(body: bytes) -> Countable:
    """Split a messages or count_tokens body; raises `msgspec.DecodeError` when it is not JSON."""
    decoded = msgspec.json.decode(body)
    request: dict[str, object] = decoded if isinstance(decoded, dict) else {}
    messages, tools = _list(request.get("messages")), _list(request.get("tools"))
    parts = list(_parts(request, messages, tools))
    return Countable(
        texts=[part for part in parts if isinstance(part, str) and part],
        media_tokens=sum(part for part in parts if isinstance(part, int)),
        messages=len(messages),
        tools=len(tools),
    )


def _parts(request: dict[str, object], messages: list[object], tools: list[object]) -> Iterator[Part]:
    yield from _content(request.get("system"))
    for message in messages:
        if isinstance(message, dict):
            yield from _content(message.get("content"))
    for tool in tools:
        yield from _tool(tool)
    for name in ("output_config", "output_format", "mcp_servers"):
        if name in request:
            yield _json(request[name])


def _content(content: object) -> Iterator[Part]:
    """A string, or a list of blocks."""
    if isinstance(content, str):
        yield content
    for block in _list(content):
        if isinstance(block, dict):
            yield from _block(block)


def _block(block: dict[str, object]) -> Iterator[Part]:
    match block:
        case {"type": "text", "text": str(text)}:
            yield text
        case {"type": "thinking", "thinking": str(thinking)}:
            yield thinking
        case {"type": "redacted_thinking", "data": str(data)}:
            yield len(data) * 3 // 16  # base64 of encrypted text, at 4 bytes a token
        case {"type": "image", "source": dict(source)}:
            yield _image(source)
        case {"type": "document", "source": dict(source)}:
            yield from _named(block, "title", "context")
            yield from _document(source)
        case {"type": "search_result"}:
            yield from _named(block, "source", "title")
            yield from _content(block.get("content"))
        case {"type": "tool_result"}:
            yield from _content(block.get("content"))
        case {"type": "tool_use" | "server_tool_use" | "mcp_tool_use"}:
            yield from _named(block, "name")
            yield _json(block.get("input"))
        case _:  # results of server tools and blocks yet unknown
            yield _json(_input_fields(block))


def _image(source: dict[str, object]) -> int:
    data = source.get("data")
    return image_tokens(data) if isinstance(data, str) else MOST_TOKENS


def _document(source: dict[str, object]) -> Iterator[Part]:
    match source:
        case {"type": "base64", "data": str(data)}:
            yield pdf_tokens(data)
        case {"type": "text", "data": str(text)}:
            yield text
        case {"type": "content"}:
            yield from _content(source.get("content"))
        case _:
            yield UNSEEN_DOCUMENT_TOKENS


def _tool(tool: object) -> Iterator[Part]:
    """A custom tool is its name, description, schema and examples; a typed one its few settings."""
    if not isinstance(tool, dict):
        return
    if "input_schema" not in tool:
        yield _json(_input_fields(tool))
        return
    yield from _named(tool, "name", "description")
    yield _json(tool["input_schema"])
    yield _json(tool.get("input_examples"))


def _named(block: dict[str, object], *names: str) -> Iterator[str]:
    for name in names:
        value = block.get(name)
        if isinstance(value, str):
            yield value


def _input_fields(block: dict[str, object]) -> dict[str, object]:
    return {name: value for name, value in block.items() if name not in _NOT_INPUT}


def _json(value: object) -> str:
    """Compact and without escapes, as providers put it before the model, whatever the client's spelling."""
    return msgspec.json.encode(value).decode() if value is not None else ""


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []
