"""One answer, told whole or streamed, is one message."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.anthropic.fold import message_of
from gateway.protocol.openai.response import anthropic_message
from gateway.protocol.openai.stream import OpenAIStream

_words = st.text(st.characters(codec="utf-8"), max_size=12)
_arguments = st.dictionaries(_words, _words | st.integers(-99, 99) | st.booleans(), max_size=3).map(
    json.dumps
)
_usage = st.none() | st.fixed_dictionaries(
    {"prompt_tokens": st.integers(-5, 99), "completion_tokens": st.integers(-5, 99)}
)
_fields: dict[str, Any] = {
    "message_id": "msg_1",
    "model": "claude-x",
    "input_estimate": 7,
    "tool_names": {"short": "the_long_name"},
    "stop_sequences": ("END", "ab"),
}


@st.composite
def answers(draw: st.DrawFn) -> dict[str, Any]:
    calls = [
        {
            "id": f"call_{at}",
            "type": "function",
            "function": {"name": draw(st.sampled_from(["read", "short"])), "arguments": draw(_arguments)},
        }
        for at in range(draw(st.integers(0, 3)))
    ]
    return {
        "role": "assistant",
        "reasoning_content": draw(_words),
        "content": draw(_words | st.sampled_from(["one END two", "cab"])),
        "refusal": draw(st.none() | _words),
        "tool_calls": calls,
    }


def whole(message: dict[str, Any], finish_reason: str, usage: Any) -> bytes:
    choice = {"index": 0, "message": message, "finish_reason": finish_reason}
    body = json.dumps({"id": "chatcmpl-1", "choices": [choice], "usage": usage}).encode()
    return anthropic_message(body, **_fields).body


def streamed(message: dict[str, Any], finish_reason: str, usage: Any, pieces: int) -> bytes:
    """Each string in `pieces` characters at a time."""
    deltas: list[dict[str, Any]] = [{"role": "assistant", "content": ""}]
    for name in ("reasoning_content", "content", "refusal"):
        deltas += [{name: piece} for piece in _cut(message[name] or "", pieces)]
    for at, call in enumerate(message["tool_calls"]):
        function = call["function"]
        deltas.append({"tool_calls": [call | {"index": at, "function": function | {"arguments": ""}}]})
        deltas += [
            {"tool_calls": [{"index": at, "function": {"arguments": piece}}]}
            for piece in _cut(function["arguments"], pieces)
        ]
    chunks: list[dict[str, Any]] = [{"choices": [{"index": 0, "delta": delta}]} for delta in deltas]
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": finish_reason}]})
    chunks.append({"choices": [], "usage": usage})
    frames = [b"data: %b\n\n" % json.dumps(chunk).encode() for chunk in chunks]
    stream = OpenAIStream(**_fields)
    return b"".join(map(stream.feed, [*frames, b"data: [DONE]\n\n"])) + stream.finish()


def _cut(text: str, pieces: int) -> list[str]:
    return [text[at : at + pieces] for at in range(0, len(text), pieces)]


@settings(max_examples=150, deadline=None)
@given(
    answers(),
    st.sampled_from(["stop", "length", "content_filter", "tool_calls", "eos"]),
    _usage,
    st.integers(1, 5),
)
def test_an_answer_told_whole_and_streamed_is_the_same_message(
    message: dict[str, Any], finish_reason: str, usage: Any, pieces: int
) -> None:
    told = json.loads(whole(message, finish_reason, usage))
    folded = json.loads(message_of(streamed(message, finish_reason, usage, pieces)))
    for name in ("content", "stop_reason", "stop_sequence"):
        assert folded[name] == told[name]
    for name in ("input_tokens", "output_tokens"):
        assert folded["usage"][name] == told["usage"][name]
