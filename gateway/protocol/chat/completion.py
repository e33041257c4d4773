"""An Anthropic message as a chat completion."""

from __future__ import annotations

import msgspec
from msgspec import UNSET, UnsetType

from gateway.errors import InternalError
from gateway.protocol.anthropic.usage import Usage
from gateway.protocol.chat.answer import Block, ChatUsage, StopDetails, block_of, chat_usage, finish_reason


class Message(msgspec.Struct, tag_field="type", tag="message"):
    content: list[msgspec.Raw]
    usage: Usage
    stop_reason: str | None = None
    stop_details: StopDetails | None = None


class FunctionCall(msgspec.Struct):
    name: str
    arguments: str


class ToolCall(msgspec.Struct, tag_field="type", tag="function"):
    id: str
    function: FunctionCall


class AssistantMessage(msgspec.Struct):
    """`content` is null where the answer is calls alone."""

    role: str
    content: str | None
    refusal: str | None
    reasoning_content: str | UnsetType = UNSET
    tool_calls: list[ToolCall] | UnsetType = UNSET
    function_call: FunctionCall | UnsetType = UNSET


class Choice(msgspec.Struct):
    index: int
    message: AssistantMessage
    finish_reason: str
    logprobs: None = None


class ChatCompletion(msgspec.Struct):
    id: str
    created: int
    model: str
    choices: list[Choice]
    usage: ChatUsage
    object: str = "chat.completion"


_message = msgspec.json.Decoder(Message)


def chat_completion(
    message: bytes, *, completion_id: str, model: str, created: int, functions: bool = False
) -> bytes:
    """`created` is in epoch seconds; `functions` tells a call by the name that it had until 2023.

    Raises `InternalError` where `message` is none.
    """
    try:
        told = _message.decode(message)
        blocks = [block for raw in told.content if (block := block_of(raw)) is not None]
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        raise InternalError("The provider sent an answer that cannot be read.") from None
    said = _assistant_message(blocks, told.stop_details, functions)
    has_calls = bool(said.tool_calls or said.function_call)
    reason = finish_reason(told.stop_reason, has_calls=has_calls, functions=functions)
    completion = ChatCompletion(
        completion_id, created, model, [Choice(0, said, reason)], chat_usage(told.usage)
    )
    return msgspec.json.encode(completion)


def _assistant_message(blocks: list[Block], details: StopDetails | None, functions: bool) -> AssistantMessage:
    calls = [_call(block) for block in blocks if block.type == "tool_use"]
    text = "".join(block.text for block in blocks if block.type == "text")
    thoughts = "".join(block.thinking for block in blocks if block.type == "thinking")
    said = AssistantMessage(
        "assistant",
        None if calls and not text else text,
        (details.explanation or None) if details else None,
        reasoning_content=thoughts or UNSET,
    )
    if functions and calls:
        said.function_call = calls[0].function
    elif calls:
        said.tool_calls = calls
    return said


def _call(block: Block) -> ToolCall:
    return ToolCall(block.id, FunctionCall(block.name, bytes(block.input).decode()))
