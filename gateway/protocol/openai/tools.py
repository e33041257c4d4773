"""Tools, tool choice and tool names for a chat completions request."""

from __future__ import annotations

import hashlib
import re

import msgspec
from msgspec import UNSET, UnsetType

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.content import decoded
from gateway.protocol.openai import schema
from gateway.protocol.openai.chat import ForcedTool, Function, FunctionName, Tool, ToolChoice
from gateway.protocol.openai.profile import Profile

_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_NOT_IN_A_NAME = re.compile(r"[^a-zA-Z0-9_-]")
_CHOICES = {"auto": "auto", "any": "required", "none": "none"}


class AnthropicTool(msgspec.Struct):
    """The last four help Anthropic to choose and to call the tool; the others have no word for them."""

    name: str | None = None
    type: str | None = None
    description: str | None = None
    input_schema: msgspec.Raw = msgspec.Raw()
    strict: bool | None = None
    defer_loading: bool | None = None
    allowed_callers: list[str] | None = None
    input_examples: list[msgspec.Raw] | None = None
    eager_input_streaming: bool | None = None


_LEFT_OUT = ("defer_loading", "allowed_callers", "input_examples", "eager_input_streaming")


class AnthropicToolChoice(msgspec.Struct):
    type: str
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


_tools = msgspec.json.Decoder(list[AnthropicTool] | None)
_choice = msgspec.json.Decoder(AnthropicToolChoice | None)


class ToolNames:
    """Names as the provider takes them; `originals` leads back from those that had to be changed."""

    def __init__(self) -> None:
        self.originals: dict[str, str] = {}

    def shortened(self, name: str) -> str:
        """The name itself, or 55 characters of it and a hash: the same in every request, so caches keep."""
        if _NAME.fullmatch(name):
            return name
        digest = hashlib.sha256(name.encode()).hexdigest()
        short = f"{_NOT_IN_A_NAME.sub('_', name)[:55]}_{digest[:8]}"
        self.originals[short] = name
        return short


def tools_from_anthropic(
    raw: msgspec.Raw | None, *, profile: Profile, names: ToolNames, dropped: dict[str, None]
) -> list[Tool]:
    """Raises `InvalidRequest` naming the type of a tool that the client or Anthropic would have to know."""
    tools = (decoded(raw, "tools", _tools) if raw is not None else None) or []
    for name in _LEFT_OUT:
        if any(getattr(tool, name) for tool in tools):
            dropped[f"tools.{name}"] = None
    functions = [_tool(tool, f"tools.{at}", profile, names) for at, tool in enumerate(tools)]
    if any(
        tool.strict and each.function.strict is UNSET for tool, each in zip(tools, functions, strict=True)
    ):
        dropped["tools.strict"] = None
    return functions


def _tool(tool: AnthropicTool, field: str, profile: Profile, names: ToolNames) -> Tool:
    if tool.type not in (None, "custom"):
        raise InvalidRequest(f"{field}.type: '{tool.type}' tools cannot be carried to this model's provider")
    if not tool.name:
        raise InvalidRequest(f"{field}.name: Field required")
    parameters = schema.cleaned(tool.input_schema, profile.schema, f"{field}.input_schema")
    strict = bool(tool.strict) and profile.strict_tools and schema.is_strict(parameters)
    return Tool(
        Function(
            name=names.shortened(tool.name),
            parameters=parameters,
            description=tool.description or UNSET,
            strict=strict or UNSET,
        )
    )


def tool_choice_from_anthropic(
    raw: msgspec.Raw | None,
    *,
    tools: list[Tool],
    profile: Profile,
    names: ToolNames,
    dropped: dict[str, None],
) -> tuple[ToolChoice | UnsetType, bool | UnsetType]:
    """`tool_choice` and `parallel_tool_calls`; both are refused without tools, so then neither is sent."""
    choice = decoded(raw, "tool_choice", _choice) if raw is not None else None
    if choice is None or not tools:
        return UNSET, UNSET
    parallel: bool | UnsetType = UNSET
    if choice.disable_parallel_tool_use and choice.type != "none":
        if profile.parallel_switch:
            parallel = False
        else:
            dropped["tool_choice.disable_parallel_tool_use"] = None
    if choice.type == "tool":
        return _forced(choice.name or "", tools, names), parallel
    if choice.type not in _CHOICES:
        raise InvalidRequest("tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'")
    return _CHOICES[choice.type], parallel


def _forced(name: str, tools: list[Tool], names: ToolNames) -> ForcedTool:
    short = names.shortened(name)
    if all(tool.function.name != short for tool in tools):
        raise InvalidRequest(f"tool_choice.name: Tool '{name}' not found in provided tools")
    return ForcedTool(FunctionName(short))
