"""An Anthropic conversation as chat messages.

The other dialect wants every tool call answered right after it, by text only. So the results of a turn come
first, in the order of the calls, and their images follow in the user message after the last of them.
"""

from __future__ import annotations

import hashlib

from msgspec import UNSET

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.content import Block, PlacedBlock, Turn, blocks_of
from gateway.protocol.openai.chat import ChatMessage, FunctionCall, Part, TextPart, ToolCall
from gateway.protocol.openai.parts import Uncarried, content_of, joined, parts_from_block
from gateway.protocol.openai.profile import Profile, ReasoningHistory
from gateway.protocol.openai.tools import ToolNames

NO_RESULT = "(no result)"
EMPTY = "(empty)"
# What Claude Code puts first in `system` for Anthropic's accounting; it varies and is no instruction.
_ATTRIBUTION = "x-anthropic-billing-header:"
_LONGEST_CALL_ID = 40
_NO_CITATIONS = (b"", b"null", b"[]", b"{}", b'{"enabled":false}', b'{"enabled": false}')


def system_from_anthropic(blocks: list[Block], profile: Profile) -> list[ChatMessage]:
    """The system prompt as one first message, or none where nothing is said; raises `InvalidRequest`."""
    for at, block in enumerate(blocks):
        if block.type != "text":
            raise InvalidRequest(f"system.{at}.type: Input should be 'text'")
    texts = [block.text for block in blocks if block.text and block.text.strip()]
    if texts and texts[0].startswith(_ATTRIBUTION) and "\n" not in texts[0]:
        del texts[0]
    return [ChatMessage(_system_role(profile), "\n\n".join(texts))] if texts else []


def messages_from_anthropic(
    turns: list[Turn], *, profile: Profile, names: ToolNames, dropped: dict[str, None]
) -> list[ChatMessage]:
    """Raises `InvalidRequest` with the place of a block that cannot be carried; `dropped` gets what was left out."""
    messages: list[ChatMessage] = []
    unanswered: list[ToolCall] = []
    for turn in turns:
        if any(bytes(placed.block.citations) not in _NO_CITATIONS for placed in turn.blocks):
            dropped["citations"] = None
        if turn.role == "user":
            messages += _user_messages(turn, unanswered, profile)
            unanswered = []
            continue
        messages += [_result(call, NO_RESULT) for call in unanswered]
        unanswered = []
        if turn.role == "system":
            messages += _system_message(turn, profile)
        elif message := _assistant_message(turn, profile, names, dropped):
            messages.append(message)
            unanswered = message.tool_calls or []
    messages += [_result(call, NO_RESULT) for call in unanswered]
    if messages and messages[-1].role == "assistant" and profile.prefill_flag:
        messages[-1].prefix = True
    return messages


def _user_messages(turn: Turn, calls: list[ToolCall], profile: Profile) -> list[ChatMessage]:
    results: dict[str, str] = {}
    attached: list[Part] = []
    said: list[Part] = []
    open_ids = {call.id for call in calls}
    for placed in turn.blocks:
        if placed.block.type != "tool_result":
            said += _parts(placed, profile)
            continue
        call_id = _call_id(placed.block.tool_use_id or "", profile)
        if call_id not in open_ids or call_id in results:
            raise placed.refusal(
                f"unexpected `tool_use_id` found in `tool_result` blocks: {placed.block.tool_use_id}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        results[call_id], files = _result_content(placed, call_id, profile)
        attached += files
    messages = [_result(call, results.get(call.id, NO_RESULT)) for call in calls]
    content = content_of(attached + said)
    return messages if content is None else [*messages, ChatMessage("user", content)]


def _result(call: ToolCall, content: str) -> ChatMessage:
    return ChatMessage("tool", content, tool_call_id=call.id)


def _result_content(placed: PlacedBlock, call_id: str, profile: Profile) -> tuple[str, list[Part]]:
    """The text of a result, and its images and files for the user message after it."""
    parts = [
        part
        for inner in blocks_of(placed.block.content, f"messages.{placed.message}.content.{placed.position}")
        for part in _parts(placed._replace(block=inner), profile)
    ]
    files: list[Part] = [part for part in parts if not isinstance(part, TextPart)]
    text = joined(parts)
    if files:
        notice = f"(what this call returned as image or file follows, marked {call_id})"
        text = f"{text}\n\n{notice}" if text else notice
        files = [TextPart(f"Returned by the tool call {call_id}:"), *files]
    text = text or EMPTY
    return (f"Error: {text}" if placed.block.is_error else text), files


def _system_message(turn: Turn, profile: Profile) -> list[ChatMessage]:
    for placed in turn.blocks:
        if placed.block.type != "text":
            raise placed.refusal(f"'{placed.block.type}' blocks are not permitted within role 'system'")
    content = joined([part for placed in turn.blocks for part in _parts(placed, profile)])
    role = _system_role(profile) if profile.system_turns else "user"
    return [ChatMessage(role, content)] if content else []


def _system_role(profile: Profile) -> str:
    return "developer" if profile.developer_role else "system"


def _assistant_message(
    turn: Turn, profile: Profile, names: ToolNames, dropped: dict[str, None]
) -> ChatMessage | None:
    said: list[Part] = []
    calls: list[ToolCall] = []
    thoughts: list[str] = []
    for placed in turn.blocks:
        block = placed.block
        if block.type == "tool_use":
            calls.append(_call(placed, calls, profile, names))
        elif block.type == "thinking" and not block.signature:
            thoughts.append(block.thinking or "")
        elif block.type == "thinking":
            dropped["signed_thinking"] = None  # only the provider that signed it can read it
        elif block.type == "redacted_thinking":
            dropped["redacted_thinking"] = None
        else:
            said += _parts(placed, profile)
    content = content_of(said)
    message = ChatMessage("assistant", content, tool_calls=calls or UNSET)
    _add_reasoning(message, "\n\n".join(thoughts), profile, dropped)
    if content is None and not calls:
        message.content = ""  # null only stands beside tool calls
        return message if message.reasoning_content or message.reasoning else None
    return message


def _call(placed: PlacedBlock, calls: list[ToolCall], profile: Profile, names: ToolNames) -> ToolCall:
    block = placed.block
    if not block.id or not block.name:
        raise placed.refusal(f"tool_use.{'name' if block.id else 'id'}: Field required")
    arguments = bytes(block.input)
    if not arguments.startswith(b"{"):
        raise placed.refusal("tool_use.input: Input should be an object")
    call_id = _call_id(block.id, profile)
    if any(call.id == call_id for call in calls):
        raise placed.refusal("`tool_use` ids must be unique")
    return ToolCall(call_id, FunctionCall(names.shortened(block.name), arguments.decode()))


def _call_id(tool_use_id: str, profile: Profile) -> str:
    """The caller's id where the provider takes it, else a hash of it: the same in calls and results."""
    length = profile.call_id_length
    if length is None and len(tool_use_id) <= _LONGEST_CALL_ID:
        return tool_use_id
    return hashlib.sha256(tool_use_id.encode()).hexdigest()[: length or _LONGEST_CALL_ID]


def _add_reasoning(message: ChatMessage, thoughts: str, profile: Profile, dropped: dict[str, None]) -> None:
    history = profile.reasoning_history
    calls_tools = message.tool_calls is not UNSET
    if history is ReasoningHistory.DROPPED or (
        history is ReasoningHistory.BESIDE_TOOL_CALLS and not calls_tools
    ):
        if thoughts:
            dropped["unsigned_thinking"] = None
        return
    # Such a provider refuses a turn with calls whose reasoning is missing, but takes an empty one.
    if thoughts or calls_tools:
        setattr(message, profile.reasoning_field, thoughts)


def _parts(placed: PlacedBlock, profile: Profile) -> list[Part]:
    try:
        return parts_from_block(placed.block, profile)
    except Uncarried as problem:
        raise placed.refusal(str(problem)) from None
