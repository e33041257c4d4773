"""What some models demand of a request that is otherwise well written; one walk over the finished request.

They refuse combinations that others take: an effort beside tools, a forced tool while thinking, a user who speaks
right after a tool. What gives way is what changes the answer least, and it is named in `dropped`.
"""

from __future__ import annotations

from msgspec import UNSET

from gateway.protocol.openai.chat import (
    ChatMessage,
    ChatRequest,
    ExtraContent,
    ForcedTool,
    Part,
    Signed,
    TextPart,
    ThinkingSwitch,
)
from gateway.protocol.openai.profile import (
    EffortBesideTools,
    ForcedTools,
    Profile,
    ReasoningApart,
    ReasoningHistory,
    Switch,
    TurnOrder,
)

# Stands between the result of a tool and the user where the assistant must have said something.
UNDERSTOOD = "Understood."


def meet_demands(chat: ChatRequest, profile: Profile, dropped: dict[str, None]) -> None:
    """Change `chat` in place; `dropped` gets the client's names of what gave way."""
    _effort_beside_tools(chat, profile, dropped)
    _forced_tool(chat, profile, dropped)
    _switch(chat, profile)
    _reasoning_apart(chat, profile)
    _reasoning_history(chat.messages, profile)
    _signatures(chat.messages, profile)
    chat.messages = _ordered(chat.messages, profile.turn_order)


def _effort_beside_tools(chat: ChatRequest, profile: Profile, dropped: dict[str, None]) -> None:
    """https://github.com/openai/openai-openapi/issues/541"""
    demand = profile.effort_beside_tools
    if demand is EffortBesideTools.AS_ASKED or chat.tools is UNSET:
        return
    if chat.reasoning_effort not in (UNSET, "none"):
        dropped["thinking"] = None
    chat.reasoning_effort = "none" if demand is EffortBesideTools.NONE else UNSET


def _forced_tool(chat: ChatRequest, profile: Profile, dropped: dict[str, None]) -> None:
    choice, taken = chat.tool_choice, profile.forced_tools
    if choice in (UNSET, "auto", "none") or taken is ForcedTools.TAKEN:
        return
    if taken is ForcedTools.NEVER:
        chat.tool_choice = "auto"
        dropped["tool_choice"] = None
    elif taken is ForcedTools.WITHOUT_THINKING:
        _stop_thinking(chat, dropped)
    elif isinstance(choice, ForcedTool):
        chat.tools = [tool for tool in chat.tools or [] if tool.function.name == choice.function.name]
        chat.tool_choice = "required"


def _stop_thinking(chat: ChatRequest, dropped: dict[str, None]) -> None:
    """Anthropic refuses thinking beside a forced tool too; here it thinks unless told not to."""
    if chat.reasoning_effort is not UNSET or (chat.thinking and chat.thinking.type == "enabled"):
        dropped["thinking"] = None
    chat.thinking, chat.reasoning_effort = ThinkingSwitch("disabled"), UNSET


def _switch(chat: ChatRequest, profile: Profile) -> None:
    if chat.thinking is UNSET:
        return
    thinks = chat.thinking.type == "enabled"
    if profile.thinking_switch is Switch.FLAG:
        chat.enable_thinking, chat.thinking = thinks, UNSET
    elif profile.thinking_switch is Switch.ADAPTIVE and thinks:
        chat.thinking = ThinkingSwitch("adaptive")


def _reasoning_apart(chat: ChatRequest, profile: Profile) -> None:
    if profile.reasoning_apart is ReasoningApart.SPLIT:
        chat.reasoning_split = True
    elif profile.reasoning_apart is ReasoningApart.FORMAT:
        chat.reasoning_format = "parsed"


def _reasoning_history(messages: list[ChatMessage], profile: Profile) -> None:
    """A turn without reasoning says what the model wants to hear then, or has no such field at all."""
    if profile.reasoning_history is ReasoningHistory.DROPPED:
        return
    told = UNSET if profile.missing_reasoning is None else profile.missing_reasoning
    for message in messages:
        wanted = profile.reasoning_history is ReasoningHistory.ALWAYS or message.tool_calls
        if message.role == "assistant" and wanted and not getattr(message, profile.reasoning_field):
            setattr(message, profile.reasoning_field, told)


def _signatures(messages: list[ChatMessage], profile: Profile) -> None:
    if profile.call_signature is None:
        return
    for message in messages:
        for call in message.tool_calls or []:
            call.extra_content = ExtraContent(Signed(profile.call_signature))


def _ordered(messages: list[ChatMessage], order: TurnOrder) -> list[ChatMessage]:
    ordered: list[ChatMessage] = []
    for message in messages:
        before = ordered[-1].role if ordered else ""
        if order is TurnOrder.ALTERNATING and message.role == before == "user":
            ordered[-1].content = _together(ordered[-1].content, message.content)
            continue
        if order is TurnOrder.ASSISTANT_AFTER_TOOL and (before, message.role) == ("tool", "user"):
            ordered.append(ChatMessage("assistant", UNDERSTOOD))
        ordered.append(message)
    return ordered


def _together(first: str | list[Part] | None, second: str | list[Part] | None) -> str | list[Part]:
    if isinstance(first, str) and isinstance(second, str):
        return f"{first}\n\n{second}"
    return _parts(first) + _parts(second)


def _parts(content: str | list[Part] | None) -> list[Part]:
    return [TextPart(content)] if isinstance(content, str) else content or []
