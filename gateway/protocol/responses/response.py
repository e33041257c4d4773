"""An Anthropic message as a Response."""

from __future__ import annotations

import msgspec

from gateway.errors import InternalError
from gateway.protocol.anthropic.usage import Usage
from gateway.protocol.chat.answer import StopDetails
from gateway.protocol.responses.output import (
    COMPLETED,
    INCOMPLETE,
    Frame,
    MessageItem,
    OutputItem,
    OutputText,
    Refusal,
    call_item,
    outcome_of,
    reasoning_item,
    untold_refusal,
    usage_from_anthropic,
)
from gateway.protocol.responses.request import ResponsesRequest
from gateway.protocol.responses.thoughts import RedactedThinking, Thinking
from gateway.protocol.responses.tools import Toolbox, toolbox_of


class Block(msgspec.Struct):
    """The fields of the blocks that have an equal in a Response; others pass and are not told."""

    type: str
    text: str = ""
    thinking: str = ""
    signature: str | None = None
    data: str = ""
    id: str = ""
    name: str = ""
    input: msgspec.Raw = msgspec.Raw(b"{}")


class Message(msgspec.Struct):
    content: list[Block]
    stop_reason: str | None = None
    stop_details: StopDetails | None = None
    usage: Usage = msgspec.field(default_factory=Usage)


_message = msgspec.json.Decoder(Message)


def response_object(
    message: bytes, *, request: ResponsesRequest, response_id: str, model: str, created: int
) -> bytes:
    """The JSON of the Response; `created` in seconds since 1970, `model` as the caller knows it.

    Raises `InternalError` where `message` is none.
    """
    try:
        told = _message.decode(message)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        raise InternalError("The provider sent an answer that cannot be read.") from None
    frame = Frame(request, response_id=response_id, model=model, created=created)
    outcome, tools = outcome_of(told.stop_reason), toolbox_of(request)
    output: list[OutputItem] = []
    for at, block in enumerate(told.content):
        cut_off = outcome.status == INCOMPLETE and at == len(told.content) - 1
        output += _item(block, frame, len(output), INCOMPLETE if cut_off else COMPLETED, tools)
    if refusal := untold_refusal(told.stop_details, output):
        output.append(MessageItem(frame.item_id("msg", len(output)), COMPLETED, [Refusal(refusal)]))
    return msgspec.json.encode(frame.response(outcome, output, usage_from_anthropic(told.usage)))


def _item(block: Block, frame: Frame, index: int, status: str, tools: Toolbox) -> list[OutputItem]:
    if block.type == "text" and block.text:
        return [MessageItem(frame.item_id("msg", index), status, [OutputText(block.text)])]
    if block.type == "thinking":
        return [reasoning_item(frame.item_id("rs", index), Thinking(block.thinking, block.signature or ""))]
    if block.type == "redacted_thinking":
        return [reasoning_item(frame.item_id("rs", index), RedactedThinking(block.data))]
    if block.type != "tool_use":
        return []
    return [
        call_item(
            frame.item_id("fc", index),
            status=status,
            call_id=block.id,
            name=block.name,
            tool=tools.tools.get(block.name),
            arguments=bytes(block.input).decode(),
        )
    ]
