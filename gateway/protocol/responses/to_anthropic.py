"""A Responses request as an Anthropic Messages request of version 2023-06-01."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic import families, written
from gateway.protocol.anthropic.families import EFFORTS, Family, Schemas
from gateway.protocol.anthropic.written import (
    Format,
    OutputConfig,
    Tool,
    ToolChoice,
    ToolResult,
    ToolUse,
)
from gateway.protocol.body import Body
from gateway.protocol.chat import structured
from gateway.protocol.chat.effort import Reasoning, reasoning_from_effort
from gateway.protocol.chat.end_user import set_user
from gateway.protocol.chat.request import optional
from gateway.protocol.chat.sampling import set_sampling
from gateway.protocol.responses.choice import choice_from_responses
from gateway.protocol.responses.conversation import Message, conversation_from_items
from gateway.protocol.responses.items import items_of
from gateway.protocol.responses.request import ResponsesRequest
from gateway.protocol.responses.thoughts import Thought
from gateway.protocol.responses.tools import tool_from_given, toolbox_of

# What an agent needs where it asks for no length, as OpenAI's models have it.
DEFAULT_MAX_TOKENS = 32_000
_ANY_INPUT = msgspec.Raw(b'{"type":"object","properties":{}}')
_ONE_OBJECT = "Answer with one JSON object and nothing else: no other words and no code fence."


class WantedReasoning(msgspec.Struct):
    effort: str | None = None


class TextFormat(msgspec.Struct):
    type: str = "text"
    schema: msgspec.Raw = msgspec.Raw()


class TextConfig(msgspec.Struct):
    format: TextFormat | None = None


class CacheControl(msgspec.Struct, tag_field="type", tag="ephemeral"):
    pass


class Request(written.Request):
    messages: list[Message]  # type: ignore[assignment] # only ever written
    cache_control: CacheControl | UnsetType = UNSET


_string = msgspec.json.Decoder(str | None)
_reasoning = msgspec.json.Decoder(WantedReasoning | None)
_text = msgspec.json.Decoder(TextConfig | None)


class AnthropicRequest(NamedTuple):
    """What goes to the provider; `dropped` names what was left out: fields, items and kinds of tools."""

    body: bytes
    dropped: tuple[str, ...]


def anthropic_request(
    request: ResponsesRequest, *, model: str, family: Family, max_output_tokens: int | None
) -> AnthropicRequest:
    """The request in the other dialect, for `model` as its provider calls it.

    Raises `InvalidRequest` naming the field, item or part that cannot be carried.
    """
    body = request.body
    dropped: dict[str, None] = {}
    system = [told] if (told := optional(body, "instructions", _string)) else []
    said, messages = conversation_from_items(
        items_of(body.fields["input"]), unsigned_thoughts=family == families.OPEN, dropped=dropped
    )
    system += said
    anthropic = Request(model, output_length(request, max_output_tokens), messages)
    _set_tools(anthropic, request, family, dropped)
    effort = _set_thinking(anthropic, body, family, dropped)
    set_sampling(anthropic, body, family, dropped)
    _set_format(anthropic, body, family, system, effort)
    set_user(anthropic, body)
    _set_cache(anthropic, body, family)
    anthropic.system = "\n".join(system) or UNSET
    anthropic.stream = request.stream or UNSET
    return AnthropicRequest(msgspec.json.encode(anthropic), tuple(dropped))


def output_length(request: ResponsesRequest, max_output_tokens: int | None) -> int:
    """`max_tokens` of the written request: what the caller asked or a default, never more than the model gives."""
    wanted = DEFAULT_MAX_TOKENS if request.max_tokens is None else request.max_tokens
    return wanted if max_output_tokens is None else min(wanted, max_output_tokens)


def _set_tools(
    anthropic: Request, request: ResponsesRequest, family: Family, dropped: dict[str, None]
) -> None:
    box = toolbox_of(request)
    dropped |= dict.fromkeys(box.dropped)
    tools = [tool_from_given(name, given, family, dropped) for name, given in box.tools.items()]
    tools, choice = choice_from_responses(request.body, tools, dropped)
    if not tools:
        tools, choice = _tools_of_history(anthropic.messages)
    anthropic.tools = tools or UNSET
    anthropic.tool_choice = choice or UNSET


def _tools_of_history(messages: list[Message]) -> tuple[list[Tool], ToolChoice | None]:
    """The tools that earlier turns called, not to be called again: calls are not taken where no tools stand."""
    names = dict.fromkeys(
        block.name for message in messages for block in message.content if isinstance(block, ToolUse)
    )
    return [Tool(name, _ANY_INPUT) for name in names], ToolChoice("none") if names else None


def _set_thinking(anthropic: Request, body: Body, family: Family, dropped: dict[str, None]) -> str | None:
    """Gives the effort. Thinking is left out where the rest of the request forbids it, and old thoughts with it."""
    word = (optional(body, "reasoning", _reasoning) or WantedReasoning()).effort
    if word is not None and word not in EFFORTS:
        raise InvalidRequest(f"reasoning.effort: Input should be {', '.join(map(repr, EFFORTS))}")
    reasoning = reasoning_from_effort(word, family, anthropic.max_tokens)
    if reasoning.thinks and _may_not_think(anthropic, family):
        reasoning = Reasoning(None, reasoning.effort)
        dropped["reasoning.effort"] = None
    elif reasoning == Reasoning() and word not in (None, "none"):
        dropped["reasoning.effort"] = None
    anthropic.thinking = reasoning.thinking or UNSET
    if not _takes_thoughts(reasoning, family):
        _leave_out_thoughts(anthropic.messages, dropped)
    return reasoning.effort


def _may_not_think(anthropic: Request, family: Family) -> bool:
    """A forced tool forbids it; a budget also wants the thoughts of a turn that goes on after its calls."""
    if anthropic.tool_choice and anthropic.tool_choice.type in ("any", "tool"):
        return True
    return family.thinking is families.Thinking.BUDGET and not _begins_thinking(anthropic.messages)


def _begins_thinking(messages: list[Message]) -> bool:
    """Whether the answer begins a turn, or goes on in one that began with a thought."""
    last = messages[-1]
    if last.role == "assistant":
        return False
    if not any(isinstance(block, ToolResult) for block in last.content):
        return True
    return isinstance(messages[-2].content[0], Thought)


def _takes_thoughts(reasoning: Reasoning, family: Family) -> bool:
    if family == families.OPEN or reasoning.thinks:
        return True
    if family.thinking in (families.Thinking.NONE, families.Thinking.BUDGET):
        return False
    return reasoning.thinking is None  # the model decides


def _leave_out_thoughts(messages: list[Message], dropped: dict[str, None]) -> None:
    for message in messages:
        if any(isinstance(block, Thought) for block in message.content):
            dropped["input.reasoning"] = None
            message.content = [block for block in message.content if not isinstance(block, Thought)]


def _set_format(
    anthropic: Request, body: Body, family: Family, system: list[str], effort: str | None
) -> None:
    """The shape of the answer, enforced or, where the model cannot, told in `system`; and the effort beside it."""
    wanted = (optional(body, "text", _text) or TextConfig()).format or TextFormat()
    output = OutputConfig(effort or UNSET)
    if wanted.type == "json_object":
        system.append(_ONE_OBJECT)
    elif wanted.type == "json_schema":
        output.format = _enforced(wanted.schema, family)
        if output.format is UNSET:
            schema = bytes(wanted.schema).decode()
            system.append(f"{_ONE_OBJECT} It follows this JSON schema:\n{schema}")
    elif wanted.type != "text":
        raise InvalidRequest("text.format.type: Input should be 'text', 'json_object' or 'json_schema'")
    anthropic.output_config = output if output != OutputConfig() else UNSET


def _enforced(schema: msgspec.Raw, family: Family) -> Format | UnsetType:
    if not bytes(schema).startswith(b"{"):
        raise InvalidRequest("text.format.schema: Input should be an object")
    if family.schemas is Schemas.WORDS:
        return UNSET
    if family.schemas is Schemas.LIMITED:
        return Format(structured.limited(schema, "text.format.schema"))
    return Format(schema)


def _set_cache(anthropic: Request, body: Body, family: Family) -> None:
    """A caller who names a cache wants one. OpenAI caches unasked, Anthropic what ends in a breakpoint."""
    if family != families.OPEN and optional(body, "prompt_cache_key", _string):
        anthropic.cache_control = CacheControl()
