"""What is said in a benchmark: three requests of about 2 KB and the provider's answer to each, to the byte.

The provider sends these answers and the load generator expects them, so an answer that was changed, cut or
reordered on its way is seen.
"""

from __future__ import annotations

import json
from collections.abc import Iterator

import msgspec

BURST_DELTAS = 32
PACED_DELTAS = 64
PACE_SECONDS = 0.01

SYSTEM = "You are a careful assistant. Answer in short sentences and name the file that you looked at. " * 12
QUESTION = "Which function reads the configuration, and what happens when a variable is missing? " * 8
ANSWER = "The quick brown fox jumps over the lazy dog and keeps running until it is dark. " * 4
MESSAGE_ID = "msg_01BenchBenchBenchBenchBe"


class Script(msgspec.Struct, frozen=True):
    """One exchange. `answer` is one JSON body, or the events of a stream in the order of their sending.

    `pace` is the seconds between two events; 0 sends them as fast as they can be written.
    """

    name: str
    request: bytes
    answer: tuple[bytes, ...]
    pace: float = 0.0

    @property
    def model(self) -> str:
        return f"claude-bench-{self.name}"

    @property
    def streams(self) -> bool:
        return len(self.answer) > 1

    @property
    def whole(self) -> bytes:
        return b"".join(self.answer)


def _script(name: str, answer: tuple[bytes, ...], pace: float = 0.0) -> Script:
    body = {
        "model": f"claude-bench-{name}",
        "max_tokens": 1024,
        "temperature": 0.5,
        "system": SYSTEM,
        "messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}],
        "stream": len(answer) > 1,
        "metadata": {"user_id": "user_0123456789abcdef"},
    }
    return Script(name, json.dumps(body).encode(), answer, pace)


def _message(content: list[dict[str, str]], output: int, stop_reason: str | None) -> dict[str, object]:
    return {
        "id": MESSAGE_ID,
        "type": "message",
        "role": "assistant",
        "model": "claude-bench",
        "content": content,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {
            "input_tokens": 421,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "output_tokens": output,
            "service_tier": "standard",
        },
    }


def _events(deltas: int) -> Iterator[bytes]:
    """A text stream as the Messages API sends it; five events stand around the deltas."""
    yield _event("message_start", message=_message([], 1, None))
    yield _event("content_block_start", index=0, content_block={"type": "text", "text": ""})
    for number in range(deltas):
        yield _event(
            "content_block_delta", index=0, delta={"type": "text_delta", "text": f"word {number:04d} "}
        )
    yield _event("content_block_stop", index=0)
    yield _event(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": deltas},
    )
    yield _event("message_stop")


def _event(kind: str, **fields: object) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


JSON = _script("json", (json.dumps(_message([{"type": "text", "text": ANSWER}], 84, "end_turn")).encode(),))
BURST = _script("burst", tuple(_events(BURST_DELTAS)))
PACED = _script("paced", tuple(_events(PACED_DELTAS)), PACE_SECONDS)
SCRIPTS = {script.name: script for script in (JSON, BURST, PACED)}
