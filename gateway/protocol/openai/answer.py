"""An answer told piece by piece, written as blocks of which only one is open at a time."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Callable, Mapping, Sequence

from gateway.protocol.anthropic.blocks import BlockWriter, Place
from gateway.protocol.anthropic.relay import MalformedStream
from gateway.protocol.openai.call import Call, arguments_of
from gateway.protocol.openai.completion import CallFragment
from gateway.protocol.stop_sequences import StopMatcher

# What may be held of one answer: arguments until they are whole, and what waits behind an open call. Each piece
# counts for more than its characters, because a string is an object.
MAX_HELD = 32 * 1024 * 1024
PIECE = 64
MAX_CALLS = 1024


@dataclasses.dataclass(slots=True)
class Speech:
    """Text or reasoning that waits for the open call to end."""

    kind: Place
    pieces: list[str]


class Answer:
    """Text, reasoning and calls in, events in `out`; what does not belong to the open call waits for its end.

    `stop_sequence` is the one that ended the text: nothing is taken after it. `delivered` counts the
    characters that the provider told, what stands behind a stop sequence too.

    Raises `MalformedStream` for calls that cannot be told.
    """

    def __init__(
        self, *, tool_names: Mapping[str, str], stop_sequences: Sequence[str], mint: Callable[[], str]
    ) -> None:
        self.writer = BlockWriter()
        self.out: list[bytes] = []
        self.delivered = 0
        self.stop_sequence: str | None = None
        self._tool_names = tool_names
        self._stops = StopMatcher(stop_sequences)
        self._mint = mint
        self._held = 0
        self._calls: list[Call] = []
        self._open_call: Call | None = None
        self._closed_calls: list[Call] = []
        self._tool_use_ids: set[str] = set()
        self._waiting: deque[Speech | Call] = deque()

    @property
    def has_calls(self) -> bool:
        return any(call.name for call in self._calls)

    def say(self, kind: Place, text: str) -> None:
        """Take text or reasoning, after all that came before it."""
        self.delivered += len(text)
        if not text or self.stop_sequence is not None:
            return
        if self._waiting:
            self._drain()
            if self.stop_sequence is not None:
                return
        if self._may_leave_call():
            self._write(kind, text)
            return
        self.hold(len(text))
        last = self._waiting[-1] if self._waiting else None
        if isinstance(last, Speech) and last.kind is kind:
            last.pieces.append(text)
        else:
            self._waiting.append(Speech(kind, [text]))

    def call(self, fragment: CallFragment) -> None:
        """Take a piece of a call; it goes out at once if the call is the open one, or can be."""
        arguments = arguments_of(fragment)
        if self.stop_sequence is not None:
            self.delivered += len(arguments)
            return
        call = self._call_of(fragment, arguments)
        if call.is_repeated_by(fragment, arguments):
            return
        call.add(fragment, arguments)
        self.delivered += len(arguments)
        self.hold(len(arguments))
        if call is self._open_call:
            self._send_arguments(call.take())
        elif call in self._closed_calls and call.take().strip():
            raise MalformedStream("The provider went on with a tool call after its arguments were whole.")
        self._drain()

    def end(self, *, cut_off: bool) -> None:
        """Write what waits and close the last block; `cut_off`: the answer ended at its maximal length."""
        self._drain(last=True, cut_off=cut_off)
        self._may_leave_call(last=True, cut_off=cut_off)
        self._flush_held_text()
        self._close_block()

    def _write(self, kind: Place, text: str) -> None:
        if kind is Place.THINKING:
            self._flush_held_text()
            self._append(kind, text)
            return
        text, self.stop_sequence = self._stops.feed(text)
        if text:
            self._append(kind, text)
        if self.stop_sequence is not None:
            self._waiting.clear()

    def _append(self, kind: Place, text: str) -> None:
        writer = self.writer
        if writer.place is not kind:
            self._close_block()
            self.out.append(writer.open_text() if kind is Place.TEXT else writer.open_thinking())
        self.out.append(writer.text(text) if kind is Place.TEXT else writer.thinking(text))

    def _flush_held_text(self) -> None:
        held = self._stops.flush()
        if held:
            self._append(Place.TEXT, held)

    def _close_block(self) -> None:
        if self.writer.place is not Place.BETWEEN:
            self.out.append(self.writer.close())

    def _call_of(self, fragment: CallFragment, arguments: str) -> Call:
        call = self._pointed_at(fragment)
        if call is not None and (
            call.is_repeated_by(fragment, arguments) or not call.is_followed_by(fragment, arguments)
        ):
            return call
        if len(self._calls) >= MAX_CALLS:
            raise MalformedStream(f"The provider sent more than {MAX_CALLS} tool calls.")
        call = Call(fragment.index)
        self._calls.append(call)
        self._waiting.append(call)
        return call

    def _pointed_at(self, fragment: CallFragment) -> Call | None:
        """The call that a fragment means: by its index and, where that is missing or lies, by its id."""
        index, call_id = fragment.index, fragment.id
        there = [call for call in self._calls if index is None or call.index == index]
        if not call_id:
            return there[-1] if there else None
        for call in reversed(there):
            if call.upstream_id == call_id:
                return call
        if there and not there[-1].upstream_id:
            return there[-1]  # its id comes late
        if fragment.function is None or not fragment.function.name:
            return next((call for call in self._calls if call.upstream_id == call_id), None)
        return None

    def _drain(self, *, last: bool = False, cut_off: bool = False) -> None:
        """Write what waits, in the order it came, up to a call that stays open; `last`: all of it."""
        while (item := self._next_waiting(last)) is not None and self._may_leave_call(
            last=last, cut_off=cut_off
        ):
            self._waiting.remove(item)
            if isinstance(item, Speech):
                self._write(item.kind, "".join(item.pieces))
            else:
                self._start_call(item)

    def _next_waiting(self, last: bool) -> Speech | Call | None:
        return next((item for item in self._waiting if last or isinstance(item, Speech) or item.ready), None)

    def _start_call(self, call: Call) -> None:
        if not call.name:
            if call.arguments.strip():
                raise MalformedStream("The provider sent a tool call without a name.")
            return
        self._flush_held_text()
        self._close_block()
        name = self._tool_names.get(call.name, call.name)
        self.out.append(self.writer.open_tool_use(tool_use_id=self._tool_use_id(call), name=name))
        self._open_call = call
        self._send_arguments(call.take())

    def _tool_use_id(self, call: Call) -> str:
        """The provider's id, or a new one where it has none, an unusable one, or one that is taken."""
        tool_use_id = call.usable_id
        if tool_use_id is None or tool_use_id in self._tool_use_ids:
            tool_use_id = self._mint()
        self._tool_use_ids.add(tool_use_id)
        return tool_use_id

    def _send_arguments(self, fragment: str) -> None:
        if fragment:
            self.out.append(self.writer.input_json(fragment))

    def _may_leave_call(self, *, last: bool = False, cut_off: bool = False) -> bool:
        """Whether another block may begin: no call is open, or nothing more can belong to the open one."""
        call = self._open_call
        if call is None:
            return True
        if not last and not call.complete:
            return False
        self._send_arguments(call.rest(cut_off=cut_off))
        self._close_block()
        self._closed_calls.append(call)
        self._open_call = None
        return True

    def hold(self, length: int) -> None:
        """Count a piece that is kept; raises `MalformedStream` for more than may be."""
        self._held += length + PIECE
        if self._held > MAX_HELD:
            raise MalformedStream(
                f"The provider sent an answer of which more than {MAX_HELD} bytes have to be kept."
            )
