"""How a stream ends: with its reason, or with an error, never silently."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from gateway.protocol.anthropic.relay import State
from gateway.protocol.openai import answer
from gateway.protocol.openai.errors import error_from_openai
from gateway.protocol.openai.failure import FailedStream
from tests import stream_grammar
from tests.protocol.openai.telling import (
    DONE,
    ROLE,
    Json,
    call,
    delta,
    error,
    finish,
    frame,
    message,
    opened,
    text,
    translated,
    usage,
)

# Stop reasons


@pytest.mark.parametrize(
    ("reason", "told"),
    [("stop", "end_turn"), ("length", "max_tokens"), ("content_filter", "refusal"), ("eos", "end_turn")],
)
def test_the_finish_reason_becomes_the_stop_reason(reason: str, told: str) -> None:
    assert message(text("a"), finish(reason), DONE)["stop_reason"] == told


@pytest.mark.parametrize("reason", ["stop", "tool_calls", "function_call", "whatever"])
def test_with_a_tool_call_any_ordinary_finish_is_tool_use(reason: str) -> None:
    assert message(call("{}", "a", index=0, id="c"), finish(reason), DONE)["stop_reason"] == "tool_use"


def test_what_is_not_understood_is_noted_under_its_own_name() -> None:
    strange = delta({"content": "a", "audio": {"id": 1}, "nothing": None})
    reader, _ = translated(strange, strange, frame({"type": "ping"}), finish("eos"), DONE)
    assert reader.unknown == [("delta", "audio"), ("frame", "ping"), ("finish_reason", "eos")]


# The end


@pytest.mark.parametrize(
    "stream",
    [
        (text("a"), finish(), DONE),
        (text("a"), finish()),
        (text("a"), DONE),
        (text("a"), finish(), b"data: [DONE]"),
        (text("a"), finish(), b'data: {"cut'),
        (text("a"), finish(), DONE, text("more"), b"garbage\n\n"),
        (text("a"), finish().rstrip(b"\n")),
    ],
    ids=["proper", "no DONE", "no finish", "no blank line", "half a frame", "after DONE", "finish unended"],
)
def test_a_whole_answer_ends_properly_however_the_stream_does(stream: tuple[bytes, ...]) -> None:
    told = message(*stream)
    assert (told["content"], told["stop_reason"]) == ([{"type": "text", "text": "a"}], "end_turn")


@pytest.mark.parametrize("stream", [(text("a"),), (text("a"), b'data: {"cut'), (text("a"), b": bye\n\n")])
def test_a_stream_that_breaks_off_ends_in_an_error(stream: tuple[bytes, ...]) -> None:
    assert error(*stream)[0] == "api_error"


def test_wherever_a_stream_is_cut_it_ends_in_a_message_or_in_one_error() -> None:
    told, rest = delta(ROLE) + text("a") + call("{}", "look", index=0, id="c"), finish() + usage() + DONE
    for cut in range(1, len(told + rest)):
        reader = opened()
        try:
            events = reader.feed((told + rest)[:cut]) + reader.finish()
        except FailedStream:
            assert cut < len(delta(ROLE) + text("a"))
            continue
        last = stream_grammar.read(events, may_fail=True)[-1]["type"]
        assert last == ("message_stop" if cut >= len(told + finish()) - 2 else "error")


def test_a_call_that_breaks_off_ends_in_an_error() -> None:
    assert error(call('{"a', "look", index=0, id="c"))[0] == "api_error"


def test_the_end_comes_only_with_the_end() -> None:
    reader = opened()
    reader.feed(text("a"))
    assert (reader.feed(finish()), reader.state) == (b"", State.OPEN)
    assert stream_grammar.frames(reader.feed(DONE))[-1]["type"] == "message_stop"
    assert (reader.state, reader.feed(text("more")), reader.finish()) == (State.DONE, b"", b"")


# Errors


ERRORS = [
    (
        {"error": {"message": "slow", "type": "rate_limit_error", "code": None}},
        ("rate_limit_error", "The provider is limiting requests."),
    ),
    (
        {"error": {"message": "no", "type": "x", "code": 400}, "choices": []},
        ("invalid_request_error", "no"),
    ),
    (
        {"error": {"message": "pay", "code": "insufficient_quota"}},
        ("overloaded_error", "The provider does not serve this gateway at the moment."),
    ),
    (
        {"error": {"message": "bad key sk-1", "code": 401}},
        ("api_error", "The provider refused the gateway's own credentials."),
    ),
    ({"error": {"message": "busy", "code": "503"}}, ("overloaded_error", "The provider is overloaded.")),
    ({"error": {"message": "lost", "code": 502}}, ("api_error", "lost")),
    ({"error": "boom"}, ("api_error", "boom")),
    ({"error": {"code": 7}}, ("api_error", "The provider broke its answer off with an error.")),
    ({"object": "error", "message": "bad", "code": 400}, ("invalid_request_error", "bad")),
    (
        {"error": {"message": "maximum context length is 8 tokens. However, your messages resulted in 9"}},
        ("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
    ),
    (
        {"error": {"message": "Cut it", "code": "context_length_exceeded"}},
        ("invalid_request_error", "prompt is too long: Cut it"),
    ),
]


@pytest.mark.parametrize(("body", "told"), ERRORS)
def test_an_error_before_content_is_raised(body: Json, told: tuple[str, str]) -> None:
    reader = opened()
    with pytest.raises(FailedStream) as raised:
        reader.feed(delta(ROLE) + frame(body))
    assert (raised.value.type, raised.value.message, reader.state) == (*told, State.FAILED)
    assert (raised.value.error.type, raised.value.error.message) == told


@pytest.mark.parametrize(("body", "told"), ERRORS)
def test_an_error_after_content_is_an_event(body: Json, told: tuple[str, str]) -> None:
    assert error(text("a"), frame(body)) == told


@pytest.mark.parametrize(("body", "told"), ERRORS)
def test_an_error_reads_the_same_in_a_stream_and_as_an_answer(body: Json, told: tuple[str, str]) -> None:
    answered = error_from_openai(200, json.dumps(body).encode(), headers={})
    assert (answered.type, answered.message) == told


def test_an_error_event_names_the_request() -> None:
    _, events = translated(text("a"), frame({"error": "boom"}), request_id="req_7")
    assert stream_grammar.read(events, may_fail=True)[-1]["request_id"] == "req_7"


def test_after_the_start_is_out_an_error_is_an_event() -> None:
    reader = opened()
    events = reader.feed(delta(ROLE)) + reader.feed(frame({"error": "boom"}))
    assert stream_grammar.read(events, may_fail=True)[-1]["type"] == "error"


def test_an_answer_broken_off_by_its_finish_reason_is_an_error() -> None:
    assert error(text("a"), finish("error"), DONE)[0] == "api_error"


GARBAGE = {
    "HTML": b"<html><body>502 Bad Gateway</body></html>\n\n",
    "truncated JSON": b'data: {"choices": [{"delta"\n\n',
    "no object": b"data: [1, 2]\n\n",
    "another shape": b'data: {"choices": "none"}\n\n',
    "bytes": b"data: \xff\xfe\n\n",
    "gzip": b"\x1f\x8b\x08\x00\x00\n\n",
    "deep": b"data: " + b'{"choices":' * 1 + b"[" * 100_000 + b"\n\n",
}


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_before_content_is_raised(garbage: bytes) -> None:
    with pytest.raises(FailedStream) as raised:
        opened().feed(garbage)
    assert raised.value.type == "api_error"


@pytest.mark.parametrize("garbage", GARBAGE.values(), ids=GARBAGE)
def test_garbage_after_content_ends_the_stream_in_an_error(garbage: bytes) -> None:
    assert error(text("a"), garbage)[0] == "api_error"


def test_an_error_that_is_no_stream_keeps_its_words() -> None:
    reader = opened()
    reader.feed(b'{"error": {"message": "no such model", "code": 404}}')
    with pytest.raises(FailedStream) as raised:
        reader.finish()
    assert (raised.value.type, raised.value.message) == ("not_found_error", "no such model")


@pytest.mark.parametrize("stream", [b"", b": hello\n\n", DONE, frame({"type": "message_start"})])
def test_a_stream_without_an_answer_is_raised(stream: bytes) -> None:
    reader = opened()
    with pytest.raises(FailedStream):
        reader.feed(stream) + reader.finish()


def test_a_frame_without_end_is_refused_before_it_fills_the_memory() -> None:
    reader = opened()
    reader.feed(text("a"))
    piece, events = b"x" * (8 * 1024 * 1024), b""
    for _ in range(6):
        events += reader.feed(piece)
    assert (
        stream_grammar.frames(events)[-1]["error"]["message"]
        == "The provider sent a frame of more than 33554432 bytes."
    )


def test_endless_arguments_are_refused_before_they_fill_the_memory() -> None:
    reader, events = opened(), b""
    events = reader.feed(call('{"a":"', "look", index=0, id="c"))
    piece = call("x" * (8 * 1024 * 1024), index=0)
    for _ in range(4):
        events = reader.feed(piece)
    assert (reader.state, stream_grammar.frames(events)[-1]["type"]) == (State.FAILED, "error")


def test_what_is_kept_in_tiny_pieces_is_counted_with_its_overhead(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answer, "MAX_HELD", 64 * 1024)
    reader = opened()
    reader.feed(call('{"a":"', "look", index=0, id="c"))
    pieces = b"".join(text("x") + delta({"reasoning": "y"}) for _ in range(1_000))
    tracemalloc.start()
    reader.feed(pieces)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert (
        reader.error and reader.error.message
    ) == "The provider sent an answer of which more than 65536 bytes have to be kept."
    assert peak < 1024 * 1024
