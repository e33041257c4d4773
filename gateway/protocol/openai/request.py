"""An Anthropic Messages request as a chat completions request."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TypeVar

import msgspec
from msgspec import UNSET

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic import content
from gateway.protocol.anthropic.request import MessageRequest
from gateway.protocol.body import Body
from gateway.protocol.openai import schema
from gateway.protocol.openai.chat import (
    ChatMessage,
    ChatRequest,
    JSONObjectFormat,
    JSONSchema,
    JSONSchemaFormat,
    StreamOptions,
    ThinkingSwitch,
)
from gateway.protocol.openai.conversation import messages_from_anthropic, system_from_anthropic
from gateway.protocol.openai.demands import meet_demands
from gateway.protocol.openai.effort import Thinking, effort_from_anthropic
from gateway.protocol.openai.profile import Profile, StructuredOutput
from gateway.protocol.openai.tools import ToolNames, tool_choice_from_anthropic, tools_from_anthropic

T = TypeVar("T")

_CARRIED = frozenset(
    {"model", "max_tokens", "messages", "system", "stream", "stop_sequences", "temperature", "top_p", "top_k"}
    | {"tools", "tool_choice", "thinking", "output_config", "output_format", "metadata"}
)
# Without these the answer would be another one, so the caller must know.
_REFUSED = ("container", "mcp_servers", "thread")
# Every piece of an answer is searched for all of them.
MAX_STOPS = 256
LONGEST_STOP = 1_000


class OutputFormat(msgspec.Struct):
    type: str
    schema: msgspec.Raw = msgspec.Raw()


class OutputConfig(msgspec.Struct):
    effort: str | None = None
    format: OutputFormat | None = None
    task_budget: msgspec.Raw = msgspec.Raw()


class Metadata(msgspec.Struct):
    user_id: str | None = None


_number = msgspec.json.Decoder(float | None)
_integer = msgspec.json.Decoder(int | None)
_strings = msgspec.json.Decoder(list[str] | None)
_thinking = msgspec.json.Decoder(Thinking | None)
_output_config = msgspec.json.Decoder(OutputConfig | None)
_output_format = msgspec.json.Decoder(OutputFormat | None)
_metadata = msgspec.json.Decoder(Metadata | None)


@dataclass(frozen=True, slots=True)
class OpenAIRequest:
    """What goes to the provider, and what the way back needs.

    `tool_names` leads from changed tool names to the caller's, `stop_sequences` are all that the caller set
    (the provider may know fewer), `dropped` names what was left out and changes no meaning.
    """

    body: bytes
    tool_names: dict[str, str]
    stop_sequences: tuple[str, ...]
    dropped: tuple[str, ...]


def openai_request(
    request: MessageRequest, *, model: str, profile: Profile, max_output_tokens: int | None = None
) -> OpenAIRequest:
    """The request in the other dialect, for `model` as its provider calls it.

    Raises `InvalidRequest` naming the field, block or tool type that cannot be carried.
    """
    body = request.body
    _refuse_uncarried(body)
    dropped: dict[str, None] = dict.fromkeys(name for name in body.fields if name not in _CARRIED)
    names = ToolNames()
    turns = content.turns(body.fields["messages"])
    chat = ChatRequest(model, _messages(body, turns, profile, names, dropped))
    _set_length(chat, request.max_tokens, max_output_tokens, profile)
    _set_stream(chat, request.stream, profile)
    _set_sampling(chat, body, profile, dropped)
    _set_tools(chat, body, profile, names, dropped)
    stops = _set_stops(chat, body, profile)
    _set_output(chat, body, profile, dropped, content.effort_now(turns))
    _set_user(chat, body, profile, dropped)
    meet_demands(chat, profile, dropped)
    return OpenAIRequest(msgspec.json.encode(chat), names.originals, stops, tuple(dropped))


def _refuse_uncarried(body: Body) -> None:
    for name in _REFUSED:
        value = body.fields.get(name)
        if value is not None and bytes(value) not in (b"null", b"[]"):
            raise InvalidRequest(f"{name}: cannot be carried to this model's provider")


def _messages(
    body: Body, turns: list[content.Turn], profile: Profile, names: ToolNames, dropped: dict[str, None]
) -> list[ChatMessage]:
    conversation = messages_from_anthropic(turns, profile=profile, names=names, dropped=dropped)
    if not conversation:
        raise InvalidRequest("messages: at least one message must have content that is not empty")
    system = content.blocks_of(body.fields.get("system", msgspec.Raw()), "system")
    return system_from_anthropic(system, profile) + conversation


def _set_length(chat: ChatRequest, wanted: int, most: int | None, profile: Profile) -> None:
    """At least 1: a request for no output only warms Anthropic's cache, and no provider here knows that."""
    tokens = max(1, wanted if most is None else min(wanted, most))
    setattr(chat, profile.max_tokens_field, tokens)


def _set_stream(chat: ChatRequest, stream: bool, profile: Profile) -> None:
    if stream:
        chat.stream = True
        if profile.stream_options:
            chat.stream_options = StreamOptions(include_usage=True)


def _set_sampling(chat: ChatRequest, body: Body, profile: Profile, dropped: dict[str, None]) -> None:
    for name, most in (("temperature", 2.0), ("top_p", 1.0)):
        value = _read(body, name, _number)
        if value is not None and not 0 <= value <= most:
            raise InvalidRequest(f"{name}: Input should be between 0 and {most:g}")
        if value is not None and profile.sampling:
            setattr(chat, name, value)
        elif value is not None:
            dropped[name] = None
    top_k = _read(body, "top_k", _integer)
    if top_k is not None and profile.top_k:
        chat.top_k = top_k
    elif top_k is not None:
        dropped["top_k"] = None


def _set_tools(
    chat: ChatRequest, body: Body, profile: Profile, names: ToolNames, dropped: dict[str, None]
) -> None:
    tools = tools_from_anthropic(body.fields.get("tools"), profile=profile, names=names, dropped=dropped)
    chat.tools = tools or UNSET
    chat.tool_choice, chat.parallel_tool_calls = tool_choice_from_anthropic(
        body.fields.get("tool_choice"), tools=tools, profile=profile, names=names, dropped=dropped
    )


def _set_stops(chat: ChatRequest, body: Body, profile: Profile) -> tuple[str, ...]:
    stops = tuple(stop for stop in _read(body, "stop_sequences", _strings) or () if stop)
    if len(stops) > MAX_STOPS:
        raise InvalidRequest(f"stop_sequences: List should have at most {MAX_STOPS} items")
    if any(len(stop) > LONGEST_STOP for stop in stops):
        raise InvalidRequest(f"stop_sequences: String should have at most {LONGEST_STOP} characters")
    sent = [stop for stop in stops if stop.strip()][: profile.stop_limit]
    chat.stop = sent or UNSET
    return stops


def _set_output(
    chat: ChatRequest, body: Body, profile: Profile, dropped: dict[str, None], effort_now: str | None
) -> None:
    """Effort, thinking and the format of the answer; the conversation's word on effort goes before the request's."""
    thinking = _read(body, "thinking", _thinking)
    config = _read(body, "output_config", _output_config) or OutputConfig()
    wanted_effort = effort_now or config.effort
    effort = effort_from_anthropic(thinking, wanted_effort, profile)
    chat.reasoning_effort = effort or UNSET
    if thinking is not None and profile.thinking_switch:
        chat.thinking = ThinkingSwitch("disabled" if thinking.type == "disabled" else "enabled")
    elif thinking is not None and thinking.type != "disabled" and not profile.efforts:
        dropped["thinking"] = None
    if wanted_effort is not None and effort is None:
        dropped["output_config.effort"] = None
    if memoryview(config.task_budget):
        dropped["output_config.task_budget"] = None
    wanted = config.format or _read(body, "output_format", _output_format)
    if wanted is not None:
        _set_format(chat, wanted, profile)


def _set_format(chat: ChatRequest, wanted: OutputFormat, profile: Profile) -> None:
    if wanted.type != "json_schema" or not bytes(wanted.schema).startswith(b"{"):
        raise InvalidRequest("output_config.format: Input should be a JSON schema")
    if profile.structured_output is not StructuredOutput.SCHEMA:
        told = f"Answer with one JSON object that follows this JSON schema:\n{bytes(wanted.schema).decode()}"
        _tell(chat.messages, told)
        if profile.structured_output is StructuredOutput.OBJECT:
            chat.response_format = JSONObjectFormat()
        return
    cleaned = schema.cleaned(wanted.schema, profile.schema, "output_config.format.schema")
    strict = schema.is_strict(cleaned)
    chat.response_format = JSONSchemaFormat(JSONSchema("output", cleaned, strict))


def _tell(messages: list[ChatMessage], words: str) -> None:
    """Add to the system prompt, of which weak providers take only one."""
    first = messages[0]
    if first.role == "system":
        first.content = f"{first.content}\n\n{words}"
    else:
        messages.insert(0, ChatMessage("system", words))


def _set_user(chat: ChatRequest, body: Body, profile: Profile, dropped: dict[str, None]) -> None:
    """Hashed: the caller's own name for a person is none of the provider's business."""
    metadata = _read(body, "metadata", _metadata)
    if metadata is None or not metadata.user_id:
        return
    if profile.user_field:
        chat.safety_identifier = hashlib.sha256(metadata.user_id.encode()).hexdigest()
    else:
        dropped["metadata.user_id"] = None


def _read(body: Body, name: str, decoder: msgspec.json.Decoder[T]) -> T | None:
    value = body.fields.get(name)
    return None if value is None else content.decoded(value, name, decoder)
