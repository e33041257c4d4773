"""What tests ask of a stream that the gateway sent: the grammar held to the letter, and its events as dicts."""

from __future__ import annotations

import json
from typing import Any

from gateway.protocol.anthropic.grammar import BrokenStream, Grammar

Event = dict[str, Any]


def read(stream: bytes, *, may_fail: bool = False, ours: bool = True) -> list[Event]:
    """Check a whole stream and return its events; `may_fail` allows it to end in one `error` event.

    `ours` False is for what a provider of the Anthropic dialect sent, which may hold what is not known here.
    """
    grammar = Grammar(ours=ours)
    grammar.feed(stream)
    grammar.finish()
    events = frames(stream)
    if grammar.failed and not may_fail:
        raise BrokenStream(f"the stream ends in an error: {events[-1]['error']}")
    return events


def frames(stream: bytes) -> list[Event]:
    """The events of a stream or of a piece of one, without a look at their order."""
    assert stream.endswith(b"\n\n") or not stream, f"the last frame is not finished: ...{stream[-120:]!r}"
    split = [frame.split(b"\n") for frame in stream[:-2].split(b"\n\n")] if stream else []
    return [_event(lines) for lines in split if not all(line.startswith(b":") for line in lines)]


def text_of(events: list[Event]) -> str:
    """All text deltas of a stream, joined."""
    return "".join(
        event["delta"].get("text", "") for event in events if event["type"] == "content_block_delta"
    )


def _event(lines: list[bytes]) -> Event:
    name, data = lines
    event: Event = json.loads(data.removeprefix(b"data: "))
    assert name == b"event: " + event["type"].encode()
    return event
