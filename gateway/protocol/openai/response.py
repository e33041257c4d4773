"""A chat completion as an Anthropic message."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import msgspec

from gateway.errors import InternalError
from gateway.protocol.anthropic.relay import MalformedStream
from gateway.protocol.anthropic.usage import Usage
from gateway.protocol.openai import completion as completions
from gateway.protocol.openai.call import Call, arguments_of
from gateway.protocol.openai.completion import (
    PARTS,
    AssistantMessage,
    CallFragment,
    ChatCompletion,
    Choice,
    ContentPart,
)
from gateway.protocol.openai.errors import BROKEN_OFF, error_from_openai
from gateway.protocol.openai.usage import stop_reason, usage_of_answer
from gateway.protocol.stop_sequences import cut

MAX_UNKNOWN = 50


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

    `estimated` says that a figure of `usage` is the gateway's and not the provider's; `unknown_finish_reason`
    is the provider's word when that is not one of the API's; `unknown` names all that was met and not
    understood: (kind, name).
    """

    body: bytes
    usage: Usage
    stop_reason: str
    estimated: bool
    provider_id: str | None
    unknown_finish_reason: str | None
    unknown: tuple[tuple[str, str], ...] = ()


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
    completion, fields = _read(body)
    if completion.error:
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
    unknown_reason = None if known else choice.finish_reason
    reason = "stop_sequence" if hit is not None else reason
    usage, estimated = usage_of_answer(
        completion.usage, input_estimate=input_estimate, delivered=_length(said)
    )
    details = Refusal(refusal or None) if reason == "refusal" else None
    message = Message(message_id, model, content, reason, hit, usage, stop_details=details)
    return AnthropicAnswer(
        body=msgspec.json.encode(message),
        usage=usage,
        stop_reason=reason,
        estimated=estimated,
        provider_id=completion.id,
        unknown_finish_reason=unknown_reason,
        unknown=tuple(itertools.islice(_unknown(completion, said, fields, unknown_reason), MAX_UNKNOWN)),
    )


def _read(body: bytes) -> tuple[ChatCompletion, list[str]]:
    try:
        return completions.read(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        raise InternalError("The provider sent an answer that cannot be read.") from None


def _unknown(
    completion: ChatCompletion, said: AssistantMessage, fields: list[str], finish_reason: str | None
) -> Iterator[tuple[str, str]]:
    yield from (("message", name[:64]) for name in fields)
    yield from (("content part", part.type[:64]) for part in _parts(said) if part.type not in PARTS)
    yield from (("choice", str(at)) for at in range(1, len(completion.choices or [])))
    if finish_reason is not None:
        yield "finish_reason", finish_reason[:64]


def _choice(completion: ChatCompletion) -> Choice:
    if not completion.choices:
        raise InternalError("The provider sent an answer without a message.")
    choice = completion.choices[0]
    if choice.finish_reason == "error":
        raise InternalError(BROKEN_OFF)
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
    text, hit = cut(_text(said) + _refusal(said), stop_sequences)
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


def _tool_uses(
    said: AssistantMessage, finish_reason: str | None, message_id: str, tool_names: Mapping[str, str]
) -> list[ToolUse]:
    uses: dict[str, ToolUse] = {}
    for fragment in _calls(said):
        call = Call(None)
        call.add(fragment, arguments_of(fragment))
        if not call.name and call.arguments.strip():
            raise InternalError("The provider sent a tool call without a name.")
        if call.name:
            call_id = _call_id(call, uses, message_id)
            tool_input = _input(call, cut_off=finish_reason == "length")
            uses[call_id] = ToolUse(call_id, tool_names.get(call.name, call.name), tool_input)
    return list(uses.values())


def _calls(said: AssistantMessage) -> list[CallFragment]:
    if not said.tool_calls and said.function_call is not None:
        return [CallFragment(function=said.function_call)]  # the field's name until 2023
    return said.tool_calls or []


def _call_id(call: Call, taken: Mapping[str, ToolUse], message_id: str) -> str:
    """The provider's id where a client takes it and no other call of this message has it."""
    told = call.usable_id
    if told is not None and told not in taken:
        return told
    return "toolu_01" + hashlib.sha256(f"{message_id}/{len(taken)}".encode()).hexdigest()[:22]


def _input(call: Call, *, cut_off: bool) -> msgspec.Raw:
    """As a stream would tell it: a call cut off by the length limit is finished, and its `max_tokens` says so."""
    try:
        return msgspec.Raw(call.rest(cut_off=cut_off).encode() or b"{}")
    except MalformedStream as problem:
        raise InternalError(str(problem)) from None


def _length(said: AssistantMessage) -> int:
    """In characters, what stands behind a stop sequence too."""
    told = len(_thoughts(said)) + len(_text(said)) + len(_refusal(said))
    return told + sum(len(arguments_of(call)) for call in _calls(said))
