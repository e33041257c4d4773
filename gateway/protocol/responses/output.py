"""A Response object as it is written: its output items, its usage, and the request's fields that it repeats."""

from __future__ import annotations

from typing import NamedTuple

import msgspec
from msgspec import UNSET, UnsetType

from gateway.protocol.anthropic.usage import Usage
from gateway.protocol.chat.answer import StopDetails
from gateway.protocol.responses.failure import Failure
from gateway.protocol.responses.request import ResponsesRequest
from gateway.protocol.responses.thoughts import Thinking, Thought, sealed
from gateway.protocol.responses.tools import GivenTool, Kind

COMPLETED = "completed"
INCOMPLETE = "incomplete"
IN_PROGRESS = "in_progress"
FAILED = "failed"

_REPEATED = (
    *(
        "instructions",
        "max_output_tokens",
        "max_tool_calls",
        "metadata",
        "parallel_tool_calls",
        "prompt_cache_key",
    ),
    *("reasoning", "safety_identifier", "temperature", "text", "tool_choice", "top_p", "truncation", "user"),
)
_DEFAULTS = {
    "instructions": b"null",
    "max_output_tokens": b"null",
    "metadata": b"{}",
    "parallel_tool_calls": b"true",
    "previous_response_id": b"null",
    "reasoning": b'{"effort":null,"summary":null}',
    "temperature": b"null",
    "text": b'{"format":{"type":"text"}}',
    "tool_choice": b'"auto"',
    "top_p": b"null",
    "truncation": b'"disabled"',
}
_INCOMPLETE_REASONS = {
    "max_tokens": "max_output_tokens",
    "model_context_window_exceeded": "max_output_tokens",
    "refusal": "content_filter",
}


class OutputText(msgspec.Struct, tag_field="type", tag="output_text"):
    text: str
    annotations: list[str] = []
    logprobs: list[str] = []


class Refusal(msgspec.Struct, tag_field="type", tag="refusal"):
    """Why there is no answer."""

    refusal: str


class SummaryText(msgspec.Struct, tag_field="type", tag="summary_text"):
    text: str


class MessageItem(msgspec.Struct, tag_field="type", tag="message"):
    id: str
    status: str
    content: list[OutputText | Refusal]
    role: str = "assistant"


class ReasoningItem(msgspec.Struct, tag_field="type", tag="reasoning"):
    id: str
    summary: list[SummaryText]
    encrypted_content: str | None = None


class FunctionCallItem(msgspec.Struct, tag_field="type", tag="function_call", omit_defaults=True):
    id: str
    status: str
    arguments: str
    call_id: str
    name: str
    namespace: str | UnsetType = UNSET


class CustomToolCallItem(msgspec.Struct, tag_field="type", tag="custom_tool_call", omit_defaults=True):
    id: str
    status: str
    input: str
    call_id: str
    name: str
    namespace: str | UnsetType = UNSET


CallItem = FunctionCallItem | CustomToolCallItem
OutputItem = MessageItem | ReasoningItem | CallItem


class InputTokensDetails(msgspec.Struct):
    cached_tokens: int
    cache_write_tokens: int


class OutputTokensDetails(msgspec.Struct):
    reasoning_tokens: int


class ResponseUsage(msgspec.Struct):
    input_tokens: int
    input_tokens_details: InputTokensDetails
    output_tokens: int
    output_tokens_details: OutputTokensDetails
    total_tokens: int


class IncompleteDetails(msgspec.Struct):
    reason: str


class Outcome(NamedTuple):
    """`status`, and what tells more of it."""

    status: str
    incomplete_details: IncompleteDetails | None = None
    error: Failure | None = None


class Frame:
    """The parts of a Response that stay the same from its first event to its last."""

    def __init__(self, request: ResponsesRequest, *, response_id: str, model: str, created: int) -> None:
        self.response_id = response_id
        fields = request.body.fields
        told = {name: _on_one_line(fields[name]) for name in _REPEATED if _is_told(fields.get(name))}
        self._fields = {
            "id": response_id,
            "object": "response",
            "created_at": created,
            "model": model,
            "background": False,
            "store": False,
            **{name: msgspec.Raw(value) for name, value in _DEFAULTS.items()},
            **told,
            "tools": _carried(fields.get("tools")),
        }

    def response(
        self, outcome: Outcome, output: list[OutputItem], usage: ResponseUsage | None = None
    ) -> dict[str, object]:
        error = outcome.error._asdict() if outcome.error is not None else None
        return {
            **self._fields,
            "status": outcome.status,
            "error": error,
            "incomplete_details": outcome.incomplete_details,
            "output": output,
            "usage": usage,
        }

    def item_id(self, prefix: str, index: int) -> str:
        """The id of the item at `index` of the output: the same however the answer is told."""
        return f"{prefix}_{self.response_id.removeprefix('resp_')}_{index}"


def outcome_of(stop_reason: str | None) -> Outcome:
    reason = _INCOMPLETE_REASONS.get(stop_reason or "")
    if reason is None:
        return Outcome(COMPLETED)
    return Outcome(INCOMPLETE, IncompleteDetails(reason))


def untold_refusal(details: StopDetails | None, output: list[OutputItem]) -> str | None:
    """Why there is no answer, unless the answer's own words end with it already, as a translated one's do."""
    refusal = details.explanation if details is not None else None
    last = output[-1] if output else None
    words = last.content[-1] if isinstance(last, MessageItem) else None
    if refusal and isinstance(words, OutputText) and words.text.endswith(refusal):
        return None
    return refusal or None


def usage_from_anthropic(usage: Usage) -> ResponseUsage:
    """OpenAI counts what came from a cache, or went into one, as input too."""
    cached, written = usage.cache_read_input_tokens or 0, usage.cache_creation_input_tokens or 0
    told, output = (usage.input_tokens or 0) + cached + written, usage.output_tokens or 0
    reasoning = (usage.output_tokens_details and usage.output_tokens_details.thinking_tokens) or 0
    return ResponseUsage(
        told, InputTokensDetails(cached, written), output, OutputTokensDetails(reasoning), told + output
    )


def reasoning_item(item_id: str, thought: Thought) -> ReasoningItem:
    told = thought.thinking if isinstance(thought, Thinking) else ""
    return ReasoningItem(item_id, [SummaryText(told)] if told else [], sealed(thought))


def call_item(
    item_id: str, *, status: str, call_id: str, name: str, tool: GivenTool | None, arguments: str
) -> CallItem:
    """`name` is the model's word for the tool, `tool` what the caller knows of it; `arguments` are JSON."""
    namespace: str | UnsetType = UNSET
    if tool is not None:
        name, namespace = tool.name, tool.namespace or UNSET
    if tool is not None and tool.kind is Kind.CUSTOM:
        return CustomToolCallItem(item_id, status, text_of_input(arguments), call_id, name, namespace)
    return FunctionCallItem(item_id, status, arguments, call_id, name, namespace)


class _TextInput(msgspec.Struct):
    input: str


_text_input = msgspec.json.Decoder(_TextInput)


def text_of_input(arguments: str) -> str:
    """A custom tool's text out of the object that the model wrote; anything else as the model wrote it."""
    try:
        return _text_input.decode(arguments).input
    except msgspec.MsgspecError:
        return arguments


class _Typed(msgspec.Struct):
    type: str


_list = msgspec.json.Decoder(list[msgspec.Raw] | None)
_typed = msgspec.json.Decoder(_Typed)


def _carried(tools: msgspec.Raw | None) -> list[msgspec.Raw]:
    """The caller's tools without those that were left out."""
    given = _list.decode(tools) if tools is not None else None
    return [
        _on_one_line(tool)
        for tool in given or []
        if _typed.decode(tool).type in ("function", "custom", "namespace")
    ]


def _is_told(value: msgspec.Raw | None) -> bool:
    return value is not None and bytes(value) != b"null"


def _on_one_line(value: msgspec.Raw) -> msgspec.Raw:
    """A caller may write JSON over many lines, an event's data may not."""
    return msgspec.Raw(msgspec.json.format(bytes(value), indent=-1))
