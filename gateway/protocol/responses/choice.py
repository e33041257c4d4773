"""Which tool the model may or must call: `tool_choice` and `parallel_tool_calls` as Anthropic's `tool_choice`."""

from __future__ import annotations

import msgspec

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.written import Tool, ToolChoice
from gateway.protocol.body import Body
from gateway.protocol.chat.request import optional
from gateway.protocol.responses.tools import Kind, written_name


class Chosen(msgspec.Struct):
    """One tool (`type`, `name`) or, of type `allowed_tools`, those that may be called."""

    type: str
    name: str | None = None
    namespace: str | None = None
    mode: str | None = None
    tools: list[Chosen] | None = None


_chosen = msgspec.json.Decoder(str | Chosen | None)
_boolean = msgspec.json.Decoder(bool | None)
_CHOICES = {"none": "none", "auto": "auto", "required": "any"}
_KINDS = {kind.value for kind in Kind}


def choice_from_responses(
    body: Body, tools: list[Tool], dropped: dict[str, None]
) -> tuple[list[Tool], ToolChoice | None]:
    """The tools that the choice leaves, and the choice, None where the model's own default shall stand.

    A tool that was left out cannot be forced: that choice is left out too. Raises `InvalidRequest` for a word or
    a name that nothing stands for.
    """
    tools, choice = _choice(optional(body, "tool_choice", _chosen), tools, dropped)
    if tools and optional(body, "parallel_tool_calls", _boolean) is False:
        choice = choice or ToolChoice("auto")
        if choice.type != "none":
            choice.disable_parallel_tool_use = True
    return tools, choice


def _choice(
    chosen: str | Chosen | None, tools: list[Tool], dropped: dict[str, None]
) -> tuple[list[Tool], ToolChoice | None]:
    if chosen is None:
        return tools, None
    if isinstance(chosen, str):
        return tools, _by_word(chosen, tools, dropped)
    if chosen.type == "allowed_tools":
        return _allowed(chosen, tools, dropped)
    if chosen.type in _KINDS:
        return tools, ToolChoice("tool", _known(chosen, tools, "tool_choice"))
    dropped[f"tool_choice.{chosen.type[:64]}"] = None
    return tools, None


def _by_word(word: str, tools: list[Tool], dropped: dict[str, None]) -> ToolChoice | None:
    if word not in _CHOICES:
        raise InvalidRequest("tool_choice: Input should be 'none', 'auto' or 'required'")
    if not tools and word == "required":
        dropped["tool_choice"] = None
    return ToolChoice(_CHOICES[word]) if tools else None


def _allowed(
    chosen: Chosen, tools: list[Tool], dropped: dict[str, None]
) -> tuple[list[Tool], ToolChoice | None]:
    """Anthropic knows no such choice: the other tools are not shown."""
    names = set()
    for at, each in enumerate(chosen.tools or []):
        if each.type in _KINDS:
            names.add(_known(each, tools, f"tool_choice.tools.{at}"))
        else:
            dropped[f"tool_choice.{each.type[:64]}"] = None
    if chosen.mode not in ("auto", "required"):
        raise InvalidRequest("tool_choice.mode: Input should be 'auto' or 'required'")
    left = [tool for tool in tools if tool.name in names]
    return left, _by_word(chosen.mode, left, dropped)


def _known(chosen: Chosen, tools: list[Tool], where: str) -> str:
    name = written_name(chosen.namespace, chosen.name or "")
    if all(tool.name != name for tool in tools):
        raise InvalidRequest(f"{where}.name: Tool '{(chosen.name or '')[:64]}' not found in provided tools")
    return name
