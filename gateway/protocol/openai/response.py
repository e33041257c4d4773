"""A chat completion as an Anthropic message."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from gateway.errors import InternalError
from gateway.protocol.anthropic.usage import Usage
from gateway.protocol.openai.arguments import BrokenArguments, input_from_arguments
from gateway.protocol.openai.completion import AssistantMessage, ChatCompletion, Choice, ContentPart, ToolCall
from gateway.protocol.openai.errors import error_from_openai
from gateway.protocol.openai.usage import OpenAIUsage, anthropic_usage, stop_reason

CHARACTERS_PER_TOKEN = 4

_completion = msgspec.json.Decoder(ChatCompletion)
_ID = re.compile(r"[a-zA-Z0-9_-]+")


class Text(msgspec.Struct, tag_field="type", tag="text"):
    text: str


class Thinking(msgspec.Struct, tag_field="type", tag="thinking"):
    """Unsigned: only the provider could sign what it thought."""

    thinking: str
    signature: str = ""


class ToolUse(msgspec.Struct, tag_field="type", tag="tool_use"):
    id: str
    name: str
    input: msgspec.Raw


Block = Thinking | Text | ToolUse


class Refusal(msgspec.Struct, tag_field="type", tag="refusal"):
    explanation: str | None
    category: str | None = None


class Message(msgspec.Struct, tag_field="type", tag="message"):
    id: str
    model: str
    content: list[Block]
    stop_reason: str
    stop_sequence: str | None
    usage: Usage
    role: str = "assistant"
    stop_details: Refusal | None = None


@dataclass(frozen=True, slots=True)
class AnthropicAnswer:
    """The message as JSON, and what is metered and logged of it.

    `estimated` says that the provider told no usage or half of it; `unknown_finish_reason` is its word when
    that is not one of the API's.
    """

    body: bytes
    usage: Usage
    stop_reason: str
    estimated: bool
    provider_id: str | None
    unknown_finish_reason: str | None


def anthropic_message(
    body: bytes,
    *,
    message_id: str,
    model: str,
    input_estimate: int,
    tool_names: Mapping[str, str],
    stop_sequences: tuple[str, ...] = (),
) -> AnthropicAnswer:
    """`model` is the catalog's name, `tool_names` leads back to the caller's.

    Raises `GatewayError`: the provider's own where the answer turns out to be an error, else `InternalError`.
    """
    completion = _read(body)
    if completion.error and not completion.choices:
        raise error_from_openai(200, body, headers={})
    choice = _choice(completion)
    said = choice.message or AssistantMessage()
    content, hit = _content(said, choice.finish_reason, message_id, tool_names, stop_sequences)
    hit = hit or _told_stop(choice, stop_sequences)
    refusal = _refusal(said)
    reason, known = stop_reason(
        choice.finish_reason,
        has_tool_calls=any(isinstance(block, ToolUse) for block in content),
        refused=bool(refusal),
    )
    reason = "stop_sequence" if hit is not None else reason
    usage, estimated = _usage(completion.usage, content, input_estimate)
    details = Refusal(refusal or None) if reason == "refusal" else None
    message = Message(message_id, model, content, reason, hit, usage, stop_details=details)
    return AnthropicAnswer(
        body=msgspec.json.encode(message),
        usage=usage,
        stop_reason=reason,
        estimated=estimated,
        provider_id=completion.id,
        unknown_finish_reason=None if known else choice.finish_reason,
    )


def _read(body: bytes) -> ChatCompletion:
    try:
        return _completion.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        raise InternalError("The provider sent an answer that cannot be read.") from None


def _choice(completion: ChatCompletion) -> Choice:
    if not completion.choices:
        raise InternalError("The provider sent an answer without a message.")
    choice = completion.choices[0]
    if choice.finish_reason == "error":
        raise InternalError("The provider broke its answer off with an error.")
    return choice


def _told_stop(choice: Choice, stop_sequences: tuple[str, ...]) -> str | None:
    for told in (choice.stop_reason, choice.matched_stop):
        if isinstance(told, str) and told in stop_sequences:
            return told
    return None


def _content(
    said: AssistantMessage,
    finish_reason: str | None,
    message_id: str,
    tool_names: Mapping[str, str],
    stop_sequences: tuple[str, ...],
) -> tuple[list[Block], str | None]:
    """Thinking before text before calls, and the stop sequence that ended the text, if one did."""
    content: list[Block] = []
    if thoughts := _thoughts(said):
        content.append(Thinking(thoughts))
    text, hit = _cut(_text(said) + _refusal(said), stop_sequences)
    if text:
        content.append(Text(text))
    if hit is None:
        content += _tool_uses(said, finish_reason, message_id, tool_names)
    return content, hit


def _thoughts(said: AssistantMessage) -> str:
    for told in (said.reasoning_content, said.reasoning):
        if isinstance(told, str) and told:
            return told
    return "".join(_thought(part) for part in _parts(said))


def _thought(part: ContentPart) -> str:
    if isinstance(part.thinking, list):
        return "".join(inner.text or "" for inner in part.thinking)
    return part.thinking or ""


def _text(said: AssistantMessage) -> str:
    if isinstance(said.content, str):
        return said.content
    return "".join(part.text or "" for part in _parts(said))


def _refusal(said: AssistantMessage) -> str:
    return said.refusal or "".join(part.refusal or "" for part in _parts(said))


def _parts(said: AssistantMessage) -> list[ContentPart]:
    return said.content if isinstance(said.content, list) else []


def _cut(text: str, stop_sequences: tuple[str, ...]) -> tuple[str, str | None]:
    """The text before the stop sequence that is whole first in it: the provider knows only some of them."""
    found = [(at + len(stop), at, stop) for stop in stop_sequences if (at := text.find(stop)) >= 0]
    if not found:
        return text, None
    _, at, stop = min(found)
    return text[:at], stop


def _tool_uses(
    said: AssistantMessage, finish_reason: str | None, message_id: str, tool_names: Mapping[str, str]
) -> list[ToolUse]:
    calls = list(said.tool_calls or [])
    if not calls and said.function_call is not None:
        calls = [ToolCall(function=said.function_call)]  # the field's name until 2023
    uses: list[ToolUse] = []
    for at, call in enumerate(calls):
        if call.function is None or not call.function.name:
            raise InternalError("The provider sent a tool call without a name.")
        taken = {use.id for use in uses}
        call_id = _call_id(call.id, taken, message_id, at)
        cut_short = finish_reason == "length" and at == len(calls) - 1
        name = tool_names.get(call.function.name, call.function.name)
        uses.append(ToolUse(call_id, name, _input(call.function.arguments, cut_short)))
    return uses


def _call_id(told: str | None, taken: set[str], message_id: str, at: int) -> str:
    """The provider's id where a client takes it and no other call of this message has it."""
    if told and _ID.fullmatch(told) and told not in taken:
        return told
    return "toolu_01" + hashlib.sha256(f"{message_id}/{at}".encode()).hexdigest()[:22]


def _input(arguments: str | dict[str, msgspec.Raw] | None, cut_short: bool) -> msgspec.Raw:
    """A call that the length limit cut short is shown empty: its `max_tokens` tells the client not to run it."""
    if isinstance(arguments, dict):
        return msgspec.Raw(msgspec.json.encode(arguments))
    try:
        return input_from_arguments(arguments or "")
    except BrokenArguments:
        if cut_short:
            return msgspec.Raw(b"{}")
        raise InternalError("The provider sent a tool call whose arguments are not a JSON object.") from None


def _usage(told: OpenAIUsage | None, content: list[Block], input_estimate: int) -> tuple[Usage, bool]:
    usage = anthropic_usage(told or OpenAIUsage())
    estimated = usage.input_tokens is None or usage.output_tokens is None
    cached = (usage.cache_read_input_tokens or 0) + (usage.cache_creation_input_tokens or 0)
    if not usage.input_tokens and not cached:  # no prompt is empty
        usage.input_tokens = input_estimate
    if usage.output_tokens is None:
        usage.output_tokens = -(-sum(map(_length, content)) // CHARACTERS_PER_TOKEN)
    return usage, estimated


def _length(block: Block) -> int:
    if isinstance(block, Text):
        return len(block.text)
    return len(block.thinking) if isinstance(block, Thinking) else len(bytes(block.input))
