"""Tools and tool choice of a chat request, by their present names and by those they had until 2023."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import UNSET

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.families import Family, Schemas
from gateway.protocol.anthropic.written import Tool, ToolChoice
from gateway.protocol.body import Body
from gateway.protocol.chat import structured
from gateway.protocol.chat.request import optional
from gateway.protocol.openai import schema
from gateway.protocol.openai.profile import SchemaRules


class Function(msgspec.Struct):
    """`parameters` null or absent means that there are none."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw = msgspec.Raw()
    strict: bool | None = None


class ChatTool(msgspec.Struct):
    type: str = "function"
    function: Function | None = None


class FunctionName(msgspec.Struct):
    name: str


class NamedTool(msgspec.Struct):
    type: str = "function"
    function: FunctionName | None = None


class AllowedTools(msgspec.Struct):
    mode: str
    tools: list[NamedTool]


class ChosenTool(msgspec.Struct):
    type: str
    function: FunctionName | None = None
    allowed_tools: AllowedTools | None = None


class Tools(NamedTuple):
    """`choice` is None where the model's own default shall stand."""

    tools: list[Tool]
    choice: ToolChoice | None


_tools = msgspec.json.Decoder(list[ChatTool] | None)
_functions = msgspec.json.Decoder(list[Function] | None)
_tool_choice = msgspec.json.Decoder(str | ChosenTool | None)
_function_choice = msgspec.json.Decoder(str | FunctionName | None)
_boolean = msgspec.json.Decoder(bool | None)
_CHOICES = {"none": "none", "auto": "auto", "required": "any"}


def tools_from_chat(body: Body, family: Family, dropped: dict[str, None]) -> Tools:
    """Raises `InvalidRequest` naming the tool or choice that cannot be carried."""
    field, functions = _given(body)
    tools = [_tool(function, f"{field}.{at}", family, dropped) for at, function in enumerate(functions)]
    tools, choice = _choice(body, tools)
    one_at_a_time = field == "functions" or optional(body, "parallel_tool_calls", _boolean) is False
    if tools and one_at_a_time:
        choice = choice or ToolChoice("auto")
        if choice.type != "none":
            choice.disable_parallel_tool_use = True
    return Tools(tools, choice)


def _given(body: Body) -> tuple[str, list[Function]]:
    """The functions that the model may call, and the field that they stand in."""
    tools, functions = optional(body, "tools", _tools) or [], optional(body, "functions", _functions) or []
    if tools and functions:
        raise InvalidRequest("functions: Input should be absent beside tools")
    if functions:
        return "functions", functions
    return "tools", [_function(tool, f"tools.{at}") for at, tool in enumerate(tools)]


def _function(tool: ChatTool, where: str) -> Function:
    if tool.type != "function":
        raise InvalidRequest(
            f"{where}.type: '{tool.type[:64]}' tools cannot be carried to this model's provider"
        )
    if tool.function is None:
        raise InvalidRequest(f"{where}.function: Field required")
    return tool.function


def _tool(function: Function, where: str, family: Family, dropped: dict[str, None]) -> Tool:
    where = f"{where}.function.parameters" if where.startswith("tools") else f"{where}.parameters"
    parameters = function.parameters if bytes(function.parameters) != b"null" else msgspec.Raw()
    parameters = schema.cleaned(parameters, SchemaRules(), where)
    strict = bool(function.strict)
    if strict and family.schemas is Schemas.WORDS:
        strict = False
        dropped["tools.strict"] = None
    elif strict and family.schemas is Schemas.LIMITED:
        parameters = structured.limited(parameters, where)
    return Tool(function.name, parameters, function.description or UNSET, strict or UNSET)


def _choice(body: Body, tools: list[Tool]) -> tuple[list[Tool], ToolChoice | None]:
    """The choice, and the tools that it leaves."""
    chosen = optional(body, "tool_choice", _tool_choice)
    field = "tool_choice"
    if chosen is None:
        chosen, field = _function_chosen(body), "function_call"
    if chosen is None:
        return tools, None
    if isinstance(chosen, str):
        return tools, _by_word(chosen, tools, field)
    if chosen.type == "allowed_tools" and chosen.allowed_tools is not None:
        return _allowed(chosen.allowed_tools, tools)
    if chosen.type == "function" and chosen.function is not None:
        where = "tool_choice.function.name" if field == "tool_choice" else "function_call.name"
        return tools, ToolChoice("tool", _known(chosen.function.name, tools, where))
    raise InvalidRequest(f"{field}.type: '{chosen.type[:64]}' cannot be carried to this model's provider")


def _function_chosen(body: Body) -> str | ChosenTool | None:
    chosen = optional(body, "function_call", _function_choice)
    return ChosenTool("function", chosen) if isinstance(chosen, FunctionName) else chosen


def _by_word(word: str, tools: list[Tool], field: str) -> ToolChoice | None:
    if word not in _CHOICES:
        raise InvalidRequest(f"{field}: Input should be 'none', 'auto' or 'required'")
    if not tools and word == "required":
        raise InvalidRequest(f"{field}: 'required' is only allowed when tools are given")
    return ToolChoice(_CHOICES[word]) if tools else None


def _allowed(allowed: AllowedTools, tools: list[Tool]) -> tuple[list[Tool], ToolChoice]:
    """Anthropic knows no such choice: the other tools are not shown."""
    field = "tool_choice.allowed_tools"
    if allowed.mode not in ("auto", "required"):
        raise InvalidRequest(f"{field}.mode: Input should be 'auto' or 'required'")
    if not allowed.tools:
        raise InvalidRequest(f"{field}.tools: at least one tool is required")
    names = set()
    for at, tool in enumerate(allowed.tools):
        if tool.function is None:
            raise InvalidRequest(f"{field}.tools.{at}.type: '{tool.type[:64]}' tools cannot be carried")
        names.add(_known(tool.function.name, tools, f"{field}.tools.{at}.function.name"))
    return [tool for tool in tools if tool.name in names], ToolChoice(_CHOICES[allowed.mode])


def _known(name: str, tools: list[Tool], where: str) -> str:
    if all(tool.name != name for tool in tools):
        raise InvalidRequest(f"{where}: Tool '{name[:64]}' not found in provided tools")
    return name
