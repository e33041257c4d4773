"""What is said in a benchmark: requests of about 2 KB and the provider's answer to each, to the byte.

The provider sends these answers. Where it speaks the client's dialect the load generator expects the same bytes, so
an answer that was changed, cut or reordered on its way is seen; where the answer is translated, the first must tell
the expected text and all others must be its twins.
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

    `pace` is the seconds between two events; 0 sends them as fast as they can be written. `text` is what the client
    is to be told where the provider's `dialect` is not the client's.
    """

    name: str
    request: bytes
    answer: tuple[bytes, ...]
    pace: float = 0.0
    dialect: str = "anthropic"
    text: str = ""

    @property
    def model(self) -> str:
        return f"claude-bench-{self.name}"

    @property
    def streams(self) -> bool:
        return len(self.answer) > 1

    @property
    def translated(self) -> bool:
        return self.dialect == "openai"

    @property
    def events(self) -> int:
        """How many events a client of the stream gets; a translated one has a ping and a message around the deltas."""
        if not self.streams:
            return 0
        return len(self.answer) + 2 if self.translated else len(self.answer)

    @property
    def whole(self) -> bytes:
        return b"".join(self.answer)


def _script(
    name: str, answer: tuple[bytes, ...], pace: float = 0.0, dialect: str = "anthropic", text: str = ""
) -> Script:
    body = {
        "model": f"claude-bench-{name}",
        "max_tokens": 1024,
        "temperature": 0.5,
        "system": SYSTEM,
        "messages": [{"role": "user", "content": [{"type": "text", "text": QUESTION}]}],
        "stream": len(answer) > 1,
        "metadata": {"user_id": "user_0123456789abcdef"},
    }
    return Script(name, json.dumps(body).encode(), answer, pace, dialect, text)


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
        yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": _word(number)})
    yield _event("content_block_stop", index=0)
    yield _event(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": deltas},
    )
    yield _event("message_stop")


def _word(number: int) -> str:
    return f"word {number:04d} "


def _event(kind: str, **fields: object) -> bytes:
    data = json.dumps({"type": kind, **fields}, separators=(",", ":"))
    return f"event: {kind}\ndata: {data}\n\n".encode()


def _completion(text: str) -> bytes:
    message = {"role": "assistant", "content": text, "refusal": None, "annotations": []}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    return json.dumps(
        {**_HEAD, "object": "chat.completion", "choices": [choice], "usage": _usage(84)}
    ).encode()


def _chunks(deltas: int) -> Iterator[bytes]:
    """A text stream as the chat completions API sends it: role, deltas, finish, usage, `[DONE]`."""
    yield _chunk({"role": "assistant", "content": "", "refusal": None})
    for number in range(deltas):
        yield _chunk({"content": _word(number)})
    yield _chunk({}, finish_reason="stop")
    usage = {**_HEAD, "object": "chat.completion.chunk", "choices": [], "usage": _usage(deltas)}
    yield b"data: " + json.dumps(usage, separators=(",", ":")).encode() + b"\n\n"
    yield b"data: [DONE]\n\n"


_HEAD = {
    "id": "chatcmpl-BenchBenchBenchBenchBenchBench",
    "created": 1_767_225_600,
    "model": "gpt-bench-2026-01-01",
    "service_tier": "default",
    "system_fingerprint": "fp_bench",
}


def _chunk(delta: dict[str, str | None], finish_reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish_reason}
    data = {**_HEAD, "object": "chat.completion.chunk", "choices": [choice], "usage": None}
    return b"data: " + json.dumps(data, separators=(",", ":")).encode() + b"\n\n"


def _usage(output: int) -> dict[str, object]:
    return {
        "prompt_tokens": 421,
        "completion_tokens": output,
        "total_tokens": 421 + output,
        "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
    }


def _words(deltas: int) -> str:
    return "".join(map(_word, range(deltas)))


JSON = _script("json", (json.dumps(_message([{"type": "text", "text": ANSWER}], 84, "end_turn")).encode(),))
BURST = _script("burst", tuple(_events(BURST_DELTAS)))
PACED = _script("paced", tuple(_events(PACED_DELTAS)), PACE_SECONDS)
TRANSLATED_JSON = _script("translated-json", (_completion(ANSWER),), dialect="openai", text=ANSWER)
TRANSLATED_BURST = _script(
    "translated-burst", tuple(_chunks(BURST_DELTAS)), dialect="openai", text=_words(BURST_DELTAS)
)
TRANSLATED_PACED = _script(
    "translated-paced",
    tuple(_chunks(PACED_DELTAS)),
    PACE_SECONDS,
    dialect="openai",
    text=_words(PACED_DELTAS),
)
RELAYED = (JSON, BURST, PACED)
TRANSLATED = (TRANSLATED_JSON, TRANSLATED_BURST, TRANSLATED_PACED)
SCRIPTS = {script.name: script for script in (*RELAYED, *TRANSLATED)}
