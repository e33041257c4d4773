"""Content blocks of an Anthropic request as texts and parts of a chat message."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.protocol.anthropic.content import Block, Source, blocks_of
from gateway.protocol.openai.chat import FileData, FilePart, ImagePart, ImageURL, Part, TextPart
from gateway.protocol.openai.profile import Profile

# Calls and results of tools that Anthropic ran: what they said stays in the conversation as text.
_RESULTS = (
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "tool_search_tool_result",
    "mcp_tool_result",
)
_CALLS = ("server_tool_use", "mcp_tool_use")


class Uncarried(Exception):
    """A block has no equal in the other dialect; the message names it."""


def parts_from_block(block: Block, profile: Profile) -> list[Part]:
    """The parts that say the same, none for an empty text; raises `Uncarried`."""
    if block.type == "text":
        text = block.text or ""
        return [TextPart(text)] if text.strip() else []
    if block.type == "image":
        return [_image(_source(block))]
    if block.type == "document":
        return _document(block, profile)
    if block.type == "search_result":
        return [TextPart(_titled(block, _texts(block)))]
    if block.type == "tool_reference":
        return [TextPart(f"Tool: {block.tool_name}")]
    if block.type == "compaction":
        return [TextPart(_texts(block))]
    if block.type in _CALLS:
        return [TextPart(f"[{block.name} was called with {bytes(block.input).decode()}]")]
    if block.type in _RESULTS:
        return [TextPart(f"[{block.type}: {_readable(block.content)}]")]
    raise Uncarried(f"'{block.type}' blocks cannot be carried to this model's provider")


def content_of(parts: list[Part]) -> str | list[Part] | None:
    """One string where there is only text, which weak providers need; None where there is nothing."""
    if not parts:
        return None
    if all(isinstance(part, TextPart) for part in parts):
        return joined(parts)
    return parts


def joined(parts: list[Part]) -> str:
    return "\n\n".join(part.text for part in parts if isinstance(part, TextPart))


def _image(source: Source) -> ImagePart:
    if source.type == "base64" and source.data:
        return ImagePart(ImageURL(f"data:{source.media_type or 'image/png'};base64,{source.data}"))
    if source.type == "url" and source.url:
        return ImagePart(ImageURL(source.url))
    raise Uncarried(f"an image with a '{source.type}' source cannot be carried to this model's provider")


def _document(block: Block, profile: Profile) -> list[Part]:
    source = _source(block)
    if source.type == "text":
        return [TextPart(_titled(block, source.data or ""))]
    if source.type == "content":
        inner = [
            part
            for part_block in blocks_of(source.content, "source.content")
            for part in parts_from_block(part_block, profile)
        ]
        heading = _titled(block, "").strip()
        return [TextPart(heading), *inner] if heading else inner
    if source.type == "base64" and source.media_type == "application/pdf" and source.data:
        return _pdf(block, source.data, profile)
    raise Uncarried(f"a document with a '{source.type}' source cannot be carried to this model's provider")


def _pdf(block: Block, encoded: str, profile: Profile) -> list[Part]:
    if not profile.pdf:
        raise Uncarried("a document of type 'application/pdf' cannot be carried to this model's provider")
    name = block.title or "document"
    name = name if name.lower().endswith(".pdf") else f"{name}.pdf"
    file = FilePart(FileData(filename=name, file_data=f"data:application/pdf;base64,{encoded}"))
    return [TextPart(block.context), file] if block.context else [file]


def _source(block: Block) -> Source:
    if not isinstance(block.source, Source):
        raise Uncarried(f"{block.type}.source: Field required")
    return block.source


def _titled(block: Block, text: str) -> str:
    """A document's title, where it is from, and its context before its text."""
    origin = block.source if isinstance(block.source, str) else None
    heading = "\n".join(line for line in (block.title, origin, block.context) if line)
    return f"{heading}\n\n{text}" if heading else text


def _texts(block: Block) -> str:
    return "\n\n".join(inner.text for inner in blocks_of(block.content, "content") if inner.text)


def _readable(content: msgspec.Raw) -> str:
    """The result as JSON without the parts that only Anthropic can read."""
    value = msgspec.json.decode(content) if memoryview(content) else None
    return msgspec.json.encode(_without_encrypted(value)).decode()


def _without_encrypted(value: Any) -> Any:
    if isinstance(value, list):
        return [_without_encrypted(item) for item in value]
    if isinstance(value, dict):
        return {
            key: _without_encrypted(item) for key, item in value.items() if not key.startswith("encrypted_")
        }
    return value
