"""A Messages request as it is written: fields left UNSET are not sent."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class Base64Source(msgspec.Struct, tag_field="type", tag="base64"):
    media_type: str
    data: str


class URLSource(msgspec.Struct, tag_field="type", tag="url"):
    url: str


class TextSource(msgspec.Struct, tag_field="type", tag="text"):
    data: str
    media_type: str = "text/plain"


class Text(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class Image(msgspec.Struct, tag_field="type", tag="image"):
    source: Base64Source | URLSource


class Document(msgspec.Struct, tag_field="type", tag="document"):
    source: Base64Source | TextSource
    title: str | UnsetType = UNSET


class ToolUse(msgspec.Struct, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: msgspec.Raw


class ToolResult(msgspec.Struct, tag_field="type", tag="tool_result"):
    tool_use_id: str
    content: str | list[Text | Image | Document] | UnsetType = UNSET


Attachment = Text | Image | Document
Block = Text | Image | Document | ToolUse | ToolResult


class Message(msgspec.Struct):
    role: str
    content: str | list[Block]


class Tool(msgspec.Struct, omit_defaults=True):
    name: str
    input_schema: msgspec.Raw
    description: str | UnsetType = UNSET
    strict: bool | UnsetType = UNSET


class ToolChoice(msgspec.Struct):
    type: str
    name: str | UnsetType = UNSET
    disable_parallel_tool_use: bool | UnsetType = UNSET


class Thinking(msgspec.Struct):
    type: str
    budget_tokens: int | UnsetType = UNSET
    display: str | UnsetType = UNSET


class Format(msgspec.Struct, tag_field="type", tag="json_schema"):
    schema: msgspec.Raw


class OutputConfig(msgspec.Struct):
    effort: str | UnsetType = UNSET
    format: Format | UnsetType = UNSET


class Metadata(msgspec.Struct):
    user_id: str


class Request(msgspec.Struct):
    model: str
    max_tokens: int
    messages: list[Message]
    system: str | UnsetType = UNSET
    stream: bool | UnsetType = UNSET
    stop_sequences: list[str] | UnsetType = UNSET
    temperature: float | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    tools: list[Tool] | UnsetType = UNSET
    tool_choice: ToolChoice | UnsetType = UNSET
    thinking: Thinking | UnsetType = UNSET
    output_config: OutputConfig | UnsetType = UNSET
    metadata: Metadata | UnsetType = UNSET
