"""The grammar of an Anthropic event stream, as a check on bytes.

    stream   = message_start  (block | ping)*  message_delta+  message_stop
             | any beginning of the above (none included), then one `error`
    block    = content_block_start  (content_block_delta | ping)*  content_block_stop     index 0, 1, 2, ...
    frame    = "event: <name>" LF "data: <one line of JSON whose type is the name>" LF LF

`read` gives the events or raises `Broken` with the position and what is wrong there.
"""

from __future__ import annotations

import json
from typing import Any

Event = dict[str, Any]

_DELTAS = {
    "text": {"text_delta": "text", "citations_delta": "citation"},
    "thinking": {"thinking_delta": "thinking", "signature_delta": "signature"},
    "tool_use": {"input_json_delta": "partial_json"},
    "server_tool_use": {"input_json_delta": "partial_json"},
}
_REASONS = {
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
}


class Broken(AssertionError):
    """The stream is not one that an Anthropic client may be sent."""


def read(stream: bytes, *, may_fail: bool = False) -> list[Event]:
    """Check a whole stream and return its events; `may_fail` allows it to end in one `error` event."""
    events = frames(stream)
    if not events:
        raise Broken("the stream is empty")
    walk = _Walk()
    for position, event in enumerate(events):
        try:
            walk.step(event)
        except (Broken, KeyError, TypeError, AttributeError) as problem:
            raise Broken(
                f"event {position} ({event.get('type')}): {problem!r} in {json.dumps(event)[:300]}"
            ) from None
    if walk.place != "ended":
        raise Broken(f"the stream ends silently after {events[-1]['type']}")
    if events[-1]["type"] == "error" and not may_fail:
        raise Broken(f"the stream ends in an error: {events[-1]['error']}")
    return events


def frames(stream: bytes) -> list[Event]:
    """Split a stream into its events without looking at their order; raises `Broken` on a malformed frame."""
    if not stream:
        return []
    if not stream.endswith(b"\n\n"):
        raise Broken(f"the last frame is not finished: ...{stream[-120:]!r}")
    return [_event(frame) for frame in stream[:-2].split(b"\n\n") if not _is_comment(frame)]


def text_of(events: list[Event]) -> str:
    """All text deltas of a stream, joined."""
    return "".join(
        event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta"
    )


def _is_comment(frame: bytes) -> bool:
    return all(line.startswith(b":") for line in frame.split(b"\n"))


def _event(frame: bytes) -> Event:
    lines = frame.split(b"\n")
    if len(lines) != 2 or not lines[0].startswith(b"event: ") or not lines[1].startswith(b"data: "):
        raise Broken(f"not a frame of one event and one data line: {frame[:200]!r}")
    try:
        event = json.loads(lines[1][6:])
    except ValueError:
        raise Broken(f"data is not JSON: {lines[1][:200]!r}") from None
    if not isinstance(event, dict) or event.get("type") != lines[0][7:].decode():
        raise Broken(f"event name and type differ: {frame[:200]!r}")
    return event


class _Walk:
    """Where a stream stands: `begin`, `between` blocks, `inside` one, `closing`, `ended`."""

    def __init__(self) -> None:
        self.place = "begin"
        self.index = 0
        self.block: Event = {}
        self.json = ""

    def step(self, event: Event) -> None:
        if self.place == "ended":
            raise Broken("something follows the end")
        getattr(self, "_" + event["type"], self._unknown)(event)

    def _unknown(self, event: Event) -> None:
        raise Broken("unknown event")

    def _at(self, *places: str) -> None:
        if self.place not in places:
            raise Broken(f"not allowed while {self.place}")

    def _ping(self, event: Event) -> None:
        self._at("between", "inside", "closing")
        if event != {"type": "ping"}:
            raise Broken("a ping carries nothing")

    def _error(self, event: Event) -> None:
        if not (isinstance(event["error"]["type"], str) and event["error"]["message"]):
            raise Broken("an error has a type and a message")
        self.place = "ended"

    def _message_start(self, event: Event) -> None:
        self._at("begin")
        message = event["message"]
        head = (
            message["type"],
            message["role"],
            message["content"],
            message["stop_reason"],
            message["stop_sequence"],
        )
        if head != ("message", "assistant", [], None, None) or not message["id"] or not message["model"]:
            raise Broken("not the head of a message")
        _check_usage(message["usage"], "input_tokens", "output_tokens")
        self.place = "between"

    def _content_block_start(self, event: Event) -> None:
        self._at("between")
        if event["index"] != self.index:
            raise Broken(f"index should be {self.index}")
        self.block, self.json, self.place = event["content_block"], "", "inside"
        empty = {"text": ("text", ""), "thinking": ("thinking", ""), "tool_use": ("input", {})}
        if self.block["type"] in empty:
            field, value = empty[self.block["type"]]
            if self.block[field] != value:
                raise Broken("a block starts empty")

    def _content_block_delta(self, event: Event) -> None:
        self._at("inside")
        delta, known = event["delta"], _DELTAS.get(self.block["type"])
        if event["index"] != self.index:
            raise Broken(f"index should be {self.index}")
        if known is not None and delta["type"] not in known:
            raise Broken(f"{delta['type']} in a {self.block['type']} block")
        if known is not None:
            delta[known[delta["type"]]]
        self.json += delta.get("partial_json", "")

    def _content_block_stop(self, event: Event) -> None:
        self._at("inside")
        if event["index"] != self.index:
            raise Broken(f"index should be {self.index}")
        if self.block["type"] == "tool_use" and not isinstance(json.loads(self.json or "{}"), dict):
            raise Broken("the input of a tool is an object")
        self.index, self.place = self.index + 1, "between"

    def _message_delta(self, event: Event) -> None:
        self._at("between", "closing")
        if event["delta"]["stop_reason"] not in _REASONS or "stop_sequence" not in event["delta"]:
            raise Broken("not a stop reason")
        _check_usage(event["usage"], "output_tokens")
        self.place = "closing"

    def _message_stop(self, event: Event) -> None:
        self._at("closing")
        self.place = "ended"


def _check_usage(usage: Event, *names: str) -> None:
    for name in names:
        if not isinstance(usage[name], int) or usage[name] < 0:
            raise Broken(f"usage.{name} is no count")
