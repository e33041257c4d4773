"""A chat completions request as an Anthropic Messages request of version 2023-06-01."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import UNSET

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic import families
from gateway.protocol.anthropic.families import Family, Schemas
from gateway.protocol.anthropic.written import Format, Message, OutputConfig, Request, ToolResult
from gateway.protocol.body import Body
from gateway.protocol.chat import structured
from gateway.protocol.chat.conversation import conversation_from_chat
from gateway.protocol.chat.effort import Reasoning, reasoning_from_effort
from gateway.protocol.chat.end_user import set_user
from gateway.protocol.chat.request import ChatRequest, optional
from gateway.protocol.chat.sampling import set_sampling
from gateway.protocol.chat.tools import tools_from_chat

DEFAULT_MAX_TOKENS = 4096

_CARRIED = frozenset(
    {"model", "messages", "max_tokens", "max_completion_tokens", "stream", "stream_options", "n", "stop"}
    | {"temperature", "top_p", "tools", "tool_choice", "parallel_tool_calls", "functions", "function_call"}
    | {"response_format", "reasoning_effort", "user", "safety_identifier"}
)
_ONE_OBJECT = "Answer with one JSON object and nothing else: no other words and no code fence."

_string = msgspec.json.Decoder(str | None)
_boolean = msgspec.json.Decoder(bool | None)
_strings = msgspec.json.Decoder(str | list[str] | None)


class JSONSchema(msgspec.Struct):
    schema: msgspec.Raw = msgspec.Raw()


class ResponseFormat(msgspec.Struct):
    type: str
    json_schema: JSONSchema | None = None


_response_format = msgspec.json.Decoder(ResponseFormat | None)


class AnthropicRequest(NamedTuple):
    """What goes to the provider; `dropped` names what was left out, fields of the request or parts of them."""

    body: bytes
    dropped: tuple[str, ...]


def anthropic_request(
    request: ChatRequest, *, model: str, family: Family, max_output_tokens: int | None
) -> AnthropicRequest:
    """The request in the other dialect, for `model` as its provider calls it.

    Raises `InvalidRequest` naming the field, part or tool type that cannot be carried.
    """
    body = request.body
    _refuse_uncarried(body)
    dropped = dict.fromkeys(
        name for name, value in body.fields.items() if name not in _CARRIED and bytes(value) != b"null"
    )
    system, messages = conversation_from_chat(body.fields["messages"], dropped)
    written = Request(model, output_length(request, max_output_tokens), messages)
    _set_tools(written, body, family, dropped)
    effort = _set_thinking(written, body, family, dropped)
    set_sampling(written, body, family, dropped)
    _set_format(written, body, family, system, effort)
    _set_stops(written, body, dropped)
    set_user(written, body)
    written.system = "\n".join(system) or UNSET
    written.stream = request.stream or UNSET
    return AnthropicRequest(msgspec.json.encode(written), tuple(dropped))


def output_length(request: ChatRequest, max_output_tokens: int | None) -> int:
    """`max_tokens` of the written request: what the caller asked or a default, never more than the model gives."""
    wanted = DEFAULT_MAX_TOKENS if request.max_tokens is None else request.max_tokens
    return wanted if max_output_tokens is None else min(wanted, max_output_tokens)


def _refuse_uncarried(body: Body) -> None:
    """Without these the answer would be another one, so the caller must know."""
    asked = {
        "logprobs": bool(optional(body, "logprobs", _boolean)),
        "top_logprobs": bytes(body.fields.get("top_logprobs", b"null")) not in (b"null", b"0"),
        "modalities": b'"audio"' in bytes(body.fields.get("modalities", b"")),
        "audio": bytes(body.fields.get("audio", b"null")) != b"null",
        "web_search_options": bytes(body.fields.get("web_search_options", b"null")) != b"null",
    }
    for name, is_asked in asked.items():
        if is_asked:
            raise InvalidRequest(f"{name}: cannot be carried to this model's provider")


def _set_tools(written: Request, body: Body, family: Family, dropped: dict[str, None]) -> None:
    tools, choice = tools_from_chat(body, family, dropped)
    written.tools = tools or UNSET
    written.tool_choice = choice or UNSET


def _set_thinking(written: Request, body: Body, family: Family, dropped: dict[str, None]) -> str | None:
    """Gives the effort. Thinking is left out where the rest of the request forbids it."""
    word = optional(body, "reasoning_effort", _string)
    reasoning = reasoning_from_effort(word, family, written.max_tokens)
    if reasoning.thinks and _may_not_think(written, family):
        reasoning = Reasoning(None, reasoning.effort)
        dropped["reasoning_effort"] = None
    elif reasoning == Reasoning() and word not in (None, "none"):
        dropped["reasoning_effort"] = None
    written.thinking = reasoning.thinking or UNSET
    return reasoning.effort


def _may_not_think(written: Request, family: Family) -> bool:
    """A forced tool forbids it; a budget also wants the thoughts of the turn that goes on, which no client has."""
    if written.tool_choice and written.tool_choice.type in ("any", "tool"):
        return True
    return family.thinking is families.Thinking.BUDGET and _goes_on(written.messages[-1])


def _goes_on(last: Message) -> bool:
    return last.role == "assistant" or any(isinstance(block, ToolResult) for block in last.content)


def _set_format(written: Request, body: Body, family: Family, system: list[str], effort: str | None) -> None:
    """The shape of the answer, enforced or, where the model cannot, told in `system`; and the effort beside it."""
    wanted = optional(body, "response_format", _response_format) or ResponseFormat("text")
    if wanted.type not in ("text", "json_object", "json_schema"):
        raise InvalidRequest("response_format.type: Input should be 'text', 'json_object' or 'json_schema'")
    output = OutputConfig(effort or UNSET)
    if wanted.type == "json_schema":
        schema = _schema(wanted)
        if schema is None or family.schemas is Schemas.WORDS:
            system.append(_ONE_OBJECT if schema is None else _following(schema))
        elif family.schemas is Schemas.LIMITED:
            output.format = Format(structured.limited(schema, "response_format.json_schema.schema"))
        else:
            output.format = Format(schema)
    elif wanted.type == "json_object":
        system.append(_ONE_OBJECT)
    written.output_config = output if output != OutputConfig() else UNSET


def _schema(wanted: ResponseFormat) -> msgspec.Raw | None:
    """None where any object will do."""
    if wanted.json_schema is None:
        raise InvalidRequest("response_format.json_schema: Field required")
    schema = bytes(wanted.json_schema.schema)
    if schema in (b"", b"null"):
        return None
    if not schema.startswith(b"{"):
        raise InvalidRequest("response_format.json_schema.schema: Input should be an object")
    return wanted.json_schema.schema


def _following(schema: msgspec.Raw) -> str:
    return f"{_ONE_OBJECT} It follows this JSON schema:\n{bytes(schema).decode()}"


def _set_stops(written: Request, body: Body, dropped: dict[str, None]) -> None:
    """Anthropic refuses a sequence of nothing but white space."""
    told = optional(body, "stop", _strings)
    stops = [told] if isinstance(told, str) else told or []
    written.stop_sequences = [stop for stop in stops if stop.strip()] or UNSET
    if any(not stop.strip() for stop in stops):
        dropped["stop"] = None
