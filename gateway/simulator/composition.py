"""What the simulator says: the same request always gets the same content."""

from __future__ import annotations

import base64
import hashlib
import itertools
import re
from typing import Any

import msgspec
from msgspec import Struct

from gateway.simulator import instance, tokens
from gateway.simulator.request import Block, Request, Tool


class Said(Struct, omit_defaults=True):
    """One content block of the answer; the fields of other types stay away."""

    type: str
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    id: str | None = None
    name: str | None = None
    input: dict[str, Any] | None = None
    citations: msgspec.UnsetType | None = msgspec.UNSET

    @property
    def tokens(self) -> int:
        """What producing this block costs; a thinking block costs what was thought, shown or not."""
        written = msgspec.json.encode(self.input).decode() if self.input is not None else ""
        return sum(tokens.of_text(part) for part in (self.text, self.thinking, self.name, written) if part)


class CacheCreation(Struct):
    ephemeral_5m_input_tokens: int = 0
    ephemeral_1h_input_tokens: int = 0


class OutputDetails(Struct):
    thinking_tokens: int = 0


class Usage(Struct):
    """The full shape; the simulator has no prompt cache, so the cache figures are always 0."""

    input_tokens: int
    output_tokens: int
    output_tokens_details: OutputDetails
    cache_creation_input_tokens: int = 0
    cache_read_input_tokens: int = 0
    cache_creation: CacheCreation = msgspec.field(default_factory=CacheCreation)
    server_tool_use: None = None
    service_tier: str = "standard"
    inference_geo: str = "not_available"


class Message(Struct):
    """A whole answer as Anthropic shapes it."""

    model: str
    content: list[Said]
    stop_reason: str | None
    stop_sequence: str | None
    usage: Usage
    id: str = ""
    type: str = "message"
    role: str = "assistant"
    stop_details: None = None
    container: None = None


def compose(asked: Request) -> Message:
    """The answer to a checked request: thinking first, then tool calls or text, within `max_tokens`."""
    thought, thinking_tokens = _thinking(asked)
    room = asked.max_tokens - thinking_tokens
    if room <= 0:
        content, reason, sequence = [], "max_tokens", None
    elif called := _called_tools(asked):
        content, reason, sequence = _calls(asked, called, room), "tool_use", None
        content, reason = (content, reason) if content else ([], "max_tokens")
    else:
        content, reason, sequence = _text(asked, room)
    usage = Usage(
        input_tokens=tokens.of_prompt(asked),
        output_tokens=thinking_tokens + sum(block.tokens for block in content),
        output_tokens_details=OutputDetails(thinking_tokens),
    )
    return Message(asked.model, [*thought, *content], reason, sequence, usage)


def _thinking(asked: Request) -> tuple[list[Said], int]:
    """The thinking block, when asked for, and what it costs."""
    how = asked.thinking
    after_a_tool = any(block.type == "tool_result" for block in asked.messages[-1].blocks)
    if how is None or how.type == "disabled" or (how.type == "between_tools" and not after_a_tool):
        return [], 0
    if asked.max_tokens == 0:
        return [], 0
    thought = (
        f"Simulated thinking: the conversation has {len(asked.messages)} message(s) and "
        f"{len(asked.tools or [])} tool(s). The last thing said is {_quoted(asked.last_user_text, 80)}. "
        "A real model would weigh an answer here."
    )
    thought = tokens.first(thought, min(how.budget_tokens or asked.max_tokens, asked.max_tokens))
    shown = "" if how.display == "omitted" else thought
    return [Said("thinking", thinking=shown, signature=_signature(thought))], tokens.of_text(thought)


def _signature(thought: str) -> str:
    return base64.b64encode(b"simulated:" + hashlib.sha256(thought.encode()).digest()).decode()


def _called_tools(asked: Request) -> list[Tool]:
    """The tools to call: a demanded one, or under `auto` those that the last message says to use."""
    tools = [tool for tool in asked.tools or [] if tool.is_custom or _typed_input(tool)]
    choice = asked.tool_choice.type if asked.tool_choice else "auto"
    if choice == "none" or not tools:
        return []
    named = [tool for tool in tools if _is_asked_for(tool.name or "", asked.last_user_text)]
    if choice == "tool" and asked.tool_choice:
        return [tool for tool in tools if tool.name == asked.tool_choice.name]
    if asked.tool_choice and asked.tool_choice.disable_parallel_tool_use:
        named = named[:1]
    return named or (tools[:1] if choice == "any" else [])


def _is_asked_for(name: str, text: str) -> bool:
    """Does the text say "use get_weather", "call the get_weather tool", "run `get_weather`", and not "do not use"?"""
    verb = r"(?<!not )(?<!n't )(?<!never )\b(?:use|using|call|run|invoke)"
    wanted = rf"{verb}\s+(?:the\s+)?(?:tool\s+)?[`'\"]?{re.escape(name)}(?![\w-])"
    return re.search(wanted, text, re.IGNORECASE) is not None


_TYPED: dict[str, dict[str, Any]] = {
    "bash": {"command": "echo simulated"},
    "text_editor": {"command": "view", "path": "/simulated.txt"},
    "memory": {"command": "view", "path": "/memories"},
    "computer": {"action": "screenshot"},
}


def _typed_input(tool: Tool) -> dict[str, Any] | None:
    """Input for a tool that clients run and that Anthropic defines; None for those that servers run."""
    return next((given for kind, given in _TYPED.items() if (tool.type or "").startswith(kind + "_2")), None)


def _calls(asked: Request, called: list[Tool], room: int) -> list[Said]:
    """The tool calls that fit into `room` tokens."""
    calls: list[Said] = []
    for position, tool in enumerate(called):
        given = _typed_input(tool)
        value = given if given is not None else instance.satisfying(msgspec.json.decode(tool.input_schema))
        seed = msgspec.json.encode([len(asked.messages), position, tool.name, value])
        identity = hashlib.sha256(seed).hexdigest()
        call = Said("tool_use", id=f"toolu_01{identity[:22]}", name=tool.name, input=value)
        if sum(earlier.tokens for earlier in calls) + call.tokens > room:
            break
        calls.append(call)
    return calls


def _text(asked: Request, room: int) -> tuple[list[Said], str, str | None]:
    """The text block, why it ends, and the stop sequence that ended it."""
    text, reason, sequence = _wording(asked), "end_turn", None
    found = [(text.find(stop), stop) for stop in asked.stop_sequences or [] if stop in text]
    if found:
        cut, sequence = min(found)
        text, reason = text[:cut], "stop_sequence"
    if tokens.of_text(text) > room:
        text, reason, sequence = tokens.first(text, room), "max_tokens", None
    return ([Said("text", text=text, citations=None)] if text else []), reason, sequence


def _wording(asked: Request) -> str:
    if wanted := asked.answer_format:
        return msgspec.json.encode(instance.satisfying(msgspec.json.decode(wanted.schema))).decode()
    text = "This is a simulated reply: no model was asked. " + _heard(asked)
    if length := re.search(r"\b(\d{1,6}) words\b", asked.last_user_text):
        text += " " + _filler(int(length[1]) - len(text.split()))
    return text


def _heard(asked: Request) -> str:
    """One or two sentences by which people see that their message arrived."""
    last = asked.messages[-1]
    if last.role == "assistant":
        return f"It goes on from {_quoted(_shown(last.blocks), 80)}."
    results = [block for block in last.blocks if block.type == "tool_result"]
    said = [f"The tool answered {_quoted(_shown([block]), 200)}." for block in results]
    if asked.last_user_text and not results:
        said.append(f"You wrote {_quoted(asked.last_user_text, 400)}.")
    for kind in ("image", "document"):
        if count := sum(block.type == kind for block in last.blocks):
            said.append(f"You sent {count} {kind}{'s' if count > 1 else ''}.")
    if asked.system:
        shown = asked.system if isinstance(asked.system, str) else _shown(asked.system)
        said.append(f"The system prompt begins {_quoted(shown, 60)}.")
    return " ".join(said)


def _shown(blocks: list[Block]) -> str:
    """The text within blocks, results of tools included."""
    found = []
    for block in blocks:
        inner = block.content
        found.append(block.text or "")
        found.append(_shown(inner) if isinstance(inner, list) else inner if isinstance(inner, str) else "")
    return " ".join(part for part in found if part)


def _quoted(text: str, longest: int) -> str:
    text = " ".join(text.split())
    return f'"{text}"' if len(text) <= longest else f'"{text[:longest].rstrip()}..."'


_FILLER = "These words only fill the length that was asked for."


def _filler(count: int) -> str:
    return " ".join(itertools.islice(itertools.cycle(_FILLER.split()), max(0, count)))
