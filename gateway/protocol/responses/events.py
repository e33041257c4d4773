"""The one writer of Responses stream events: each is numbered, and an item's own events name it and its place.

An item is told in full only when it is known to be whole. Codex runs a call as soon as its `output_item.done`
has come, whatever status stands in it, so a call that was cut off never gets one.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from gateway.protocol import sse
from gateway.protocol.responses.output import (
    COMPLETED,
    IN_PROGRESS,
    CallItem,
    CustomToolCallItem,
    MessageItem,
    OutputItem,
    OutputText,
    ReasoningItem,
    Refusal,
    SummaryText,
    call_item,
    reasoning_item,
)
from gateway.protocol.responses.thoughts import RedactedThinking, Thinking
from gateway.protocol.responses.tools import GivenTool, Kind

_encode = msgspec.json.Encoder().encode


class EventWriter:
    """Events in, bytes out by `take`. `place` is the number of the next output item."""

    def __init__(self) -> None:
        self.place = 0
        self._sequence_number = 0
        self._out: list[bytes] = []

    def write(self, kind: str, fields: Mapping[str, object]) -> None:
        body = {"type": kind, "sequence_number": self._sequence_number, **fields}
        self._sequence_number += 1
        self._out.append(sse.frame(kind, _encode(body)))

    def comment(self, words: bytes) -> None:
        self._out.append(b": %b\n\n" % words)

    def take(self) -> bytes:
        out = b"".join(self._out)
        self._out.clear()
        return out


class _Telling:
    """What all items share: `add` begins one, `done` ends it."""

    def __init__(self, writer: EventWriter, item_id: str) -> None:
        self._writer = writer
        self._item_id = item_id
        self._place = writer.place
        writer.place += 1

    def _add(self, item: OutputItem) -> None:
        self._writer.write("response.output_item.added", {"output_index": self._place, "item": item})

    def _done(self, item: OutputItem) -> None:
        self._writer.write("response.output_item.done", {"output_index": self._place, "item": item})

    def _write(self, kind: str, **fields: object) -> None:
        self._writer.write(kind, {"item_id": self._item_id, "output_index": self._place, **fields})


class MessageTelling(_Telling):
    """A message of one text."""

    def __init__(self, writer: EventWriter, item_id: str) -> None:
        super().__init__(writer, item_id)
        self._pieces: list[str] = []
        self._add(MessageItem(item_id, IN_PROGRESS, []))
        self._write("response.content_part.added", content_index=0, part=OutputText(""))

    def text(self, delta: str) -> None:
        self._pieces.append(delta)
        self._write("response.output_text.delta", content_index=0, delta=delta, logprobs=[])

    def end(self, status: str) -> OutputItem:
        part = OutputText("".join(self._pieces))
        item = MessageItem(self._item_id, status, [part])
        self._write("response.output_text.done", content_index=0, text=part.text, logprobs=[])
        self._write("response.content_part.done", content_index=0, part=part)
        self._done(item)
        return item


class RefusalTelling(_Telling):
    """A message that says why there is no answer; providers tell it at once, so it is whole."""

    def __init__(self, writer: EventWriter, item_id: str, refusal: str) -> None:
        super().__init__(writer, item_id)
        self._refusal = refusal
        self._add(MessageItem(item_id, IN_PROGRESS, []))
        self._write("response.content_part.added", content_index=0, part=Refusal(""))
        self._write("response.refusal.delta", content_index=0, delta=refusal)

    def end(self, status: str) -> OutputItem:
        part = Refusal(self._refusal)
        item = MessageItem(self._item_id, status, [part])
        self._write("response.refusal.done", content_index=0, refusal=self._refusal)
        self._write("response.content_part.done", content_index=0, part=part)
        self._done(item)
        return item


class ReasoningTelling(_Telling):
    """A thought: its text as a summary of one part, and the whole of it sealed."""

    def __init__(self, writer: EventWriter, item_id: str) -> None:
        super().__init__(writer, item_id)
        self._pieces: list[str] = []
        self._signature = ""
        self._redacted: str | None = None
        self._add(ReasoningItem(item_id, []))

    def thinking(self, delta: str) -> None:
        if not self._pieces:
            self._write("response.reasoning_summary_part.added", summary_index=0, part=SummaryText(""))
        self._pieces.append(delta)
        self._write("response.reasoning_summary_text.delta", summary_index=0, delta=delta)

    def sign(self, signature: str) -> None:
        self._signature = signature

    def redact(self, data: str) -> None:
        self._redacted = data

    def end(self, status: str) -> OutputItem:
        thinking = "".join(self._pieces)
        if self._redacted is not None:
            item = reasoning_item(self._item_id, RedactedThinking(self._redacted))
        else:
            item = reasoning_item(self._item_id, Thinking(thinking, self._signature))
        if thinking:
            self._write("response.reasoning_summary_text.done", summary_index=0, text=thinking)
            self._write("response.reasoning_summary_part.done", summary_index=0, part=SummaryText(thinking))
        self._done(item)
        return item


class CallTelling(_Telling):
    """A call. A custom tool's text stands inside JSON, so it is told when that is whole."""

    def __init__(
        self, writer: EventWriter, item_id: str, *, call_id: str, name: str, tool: GivenTool | None
    ) -> None:
        super().__init__(writer, item_id)
        self._call_id = call_id
        self._name = name
        self._tool = tool
        self._custom = tool is not None and tool.kind is Kind.CUSTOM
        self._pieces: list[str] = []
        self._add(self._item(IN_PROGRESS, ""))

    def arguments(self, delta: str) -> None:
        self._pieces.append(delta)
        if not self._custom:
            self._write("response.function_call_arguments.delta", delta=delta)

    def end(self, status: str) -> OutputItem:
        item = self._item(status, "".join(self._pieces) or "{}")
        if status == COMPLETED:
            self._write_whole(item)
            self._done(item)
        return item

    def _write_whole(self, item: CallItem) -> None:
        if isinstance(item, CustomToolCallItem):
            self._write("response.custom_tool_call_input.delta", delta=item.input)
            self._write("response.custom_tool_call_input.done", input=item.input)
            return
        if not self._pieces:
            self.arguments(item.arguments)
        self._write("response.function_call_arguments.done", name=item.name, arguments=item.arguments)

    def _item(self, status: str, arguments: str) -> CallItem:
        return call_item(
            self._item_id,
            status=status,
            call_id=self._call_id,
            name=self._name,
            tool=self._tool,
            arguments=arguments,
        )


Telling = MessageTelling | RefusalTelling | ReasoningTelling | CallTelling
