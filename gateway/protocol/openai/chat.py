"""A chat completions request as it is written: fields left UNSET are not sent."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType


class TextPart(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class ImageURL(msgspec.Struct):
    url: str


class ImagePart(msgspec.Struct, tag_field="type", tag="image_url"):
    image_url: ImageURL


class FileData(msgspec.Struct):
    filename: str
    file_data: str


class FilePart(msgspec.Struct, tag_field="type", tag="file"):
    file: FileData


Part = TextPart | ImagePart | FilePart


class FunctionCall(msgspec.Struct):
    """`arguments` is JSON in a string."""

    name: str
    arguments: str


class Signed(msgspec.Struct):
    thought_signature: str


class ExtraContent(msgspec.Struct):
    """What Google lets stand beside a call."""

    google: Signed


class ToolCall(msgspec.Struct, tag_field="type", tag="function", omit_defaults=True):
    id: str
    function: FunctionCall
    extra_content: ExtraContent | UnsetType = UNSET


class ChatMessage(msgspec.Struct, omit_defaults=True):
    """`content` null is sent as null, which only stands beside `tool_calls`."""

    role: str
    content: str | list[Part] | None
    tool_calls: list[ToolCall] | UnsetType = UNSET
    tool_call_id: str | UnsetType = UNSET
    reasoning_content: str | UnsetType = UNSET
    reasoning: str | UnsetType = UNSET
    prefix: bool | UnsetType = UNSET


class Function(msgspec.Struct, omit_defaults=True):
    name: str
    parameters: msgspec.Raw
    description: str | UnsetType = UNSET
    strict: bool | UnsetType = UNSET


class Tool(msgspec.Struct, tag_field="type", tag="function"):
    function: Function


class FunctionName(msgspec.Struct):
    name: str


class ForcedTool(msgspec.Struct, tag_field="type", tag="function"):
    function: FunctionName


ToolChoice = str | ForcedTool


class JSONSchema(msgspec.Struct):
    name: str
    schema: msgspec.Raw
    strict: bool


class JSONSchemaFormat(msgspec.Struct, tag_field="type", tag="json_schema"):
    json_schema: JSONSchema


class JSONObjectFormat(msgspec.Struct, tag_field="type", tag="json_object"):
    pass


ResponseFormat = JSONSchemaFormat | JSONObjectFormat


class StreamOptions(msgspec.Struct):
    include_usage: bool


class ThinkingSwitch(msgspec.Struct):
    type: str


class ChatRequest(msgspec.Struct, omit_defaults=True):
    model: str
    messages: list[ChatMessage]
    max_tokens: int | UnsetType = UNSET
    max_completion_tokens: int | UnsetType = UNSET
    stream: bool | UnsetType = UNSET
    stream_options: StreamOptions | UnsetType = UNSET
    temperature: float | UnsetType = UNSET
    top_p: float | UnsetType = UNSET
    top_k: int | UnsetType = UNSET
    stop: list[str] | UnsetType = UNSET
    tools: list[Tool] | UnsetType = UNSET
    tool_choice: ToolChoice | UnsetType = UNSET
    parallel_tool_calls: bool | UnsetType = UNSET
    reasoning_effort: str | UnsetType = UNSET
    thinking: ThinkingSwitch | UnsetType = UNSET
    enable_thinking: bool | UnsetType = UNSET
    reasoning_split: bool | UnsetType = UNSET
    reasoning_format: str | UnsetType = UNSET
    response_format: ResponseFormat | UnsetType = UNSET
    safety_identifier: str | UnsetType = UNSET
