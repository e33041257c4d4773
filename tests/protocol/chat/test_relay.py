"""A chat completion of a provider, whole or streamed, for a client that speaks the same dialect."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import GatewayError, InternalError
from gateway.protocol.anthropic.relay import MalformedStream, State, StreamedError
from gateway.protocol.anthropic.usage import OutputTokensDetails, Usage
from gateway.protocol.chat.model_name import with_model
from gateway.protocol.chat.relay import ChatRelay, relayed_completion
from gateway.protocol.openai.failure import FailedStream

DONE = b"data: [DONE]\n\n"
BROKEN_OFF = "the provider's stream broke off before its answer was whole"


def chunk(delta: Any = None, reason: str | None = None, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": delta or {}, "finish_reason": reason}
    return sse({"id": "chatcmpl-1", "model": "real", "choices": [choice]} | fields)


def sse(data: Any) -> bytes:
    return b"data: %b\n\n" % json.dumps(data).encode()


def usage(**counts: Any) -> bytes:
    return sse({"id": "chatcmpl-1", "model": "real", "choices": [], "usage": counts})


def house(frame: bytes) -> bytes:
    return frame.replace(b'"model": "real"', b'"model": "house"')


def reader(include_usage: bool = False) -> ChatRelay:
    return ChatRelay("house", include_usage)


HELLO, END = chunk({"role": "assistant", "content": "Hello"}), chunk(reason="stop")
USED = usage(prompt_tokens=10, completion_tokens=4, prompt_tokens_details={"cached_tokens": 6})


def test_frames_go_on_as_they_complete_with_only_the_model_changed() -> None:
    relay = reader()
    assert relay.feed(HELLO[:30]) == b""
    assert relay.state is State.WAITING
    assert relay.feed(HELLO[30:] + END[:5]) == house(HELLO)
    assert relay.state is State.OPEN
    assert relay.feed(END[5:] + DONE) == house(END) + DONE
    assert (relay.state, relay.ended, relay.stop_reason, relay.delivered) == (State.DONE, True, "end_turn", 5)
    assert relay.feed(HELLO) == relay.finish() == b""


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (
            b'data:{"choices":[], "model":"r\\"e\\\\"}\r\n\r\n',
            b'data:{"choices":[], "model":"house"}\r\n\r\n',
        ),
        (b'id: 1\ndata: {"model":null,"choices":[]}\n\n', b'id: 1\ndata: {"model":"house","choices":[]}\n\n'),
        (b'data: {"choices":[]}\n\n', b'data: {"choices":[]}\n\n'),
        (
            b'data: {"x":{"model":"a"},"model":"b","y":["model",{"model":"c"}],"choices":[]}\n\n',
            b'data: {"x":{"model":"a"},"model":"house","y":["model",{"model":"c"}],"choices":[]}\n\n',
        ),
        (
            b'data: {"x":"{\\"model\\": \\"a\\"}","choices":[],"model":"b"}\n\n',
            b'data: {"x":"{\\"model\\": \\"a\\"}","choices":[],"model":"house"}\n\n',
        ),
        (
            b'data: {"model":\ndata: "real","choices":[]}\n\n',
            b'data: {"model":\ndata: "house","choices":[]}\n\n',
        ),
        (
            b'data: {"model":"real","choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
            b'data: {"model":"house","choices":[{"delta":{"content":"\\ud83d"}}]}\n\n',
        ),
        (
            'data: {"model":"real","choices":[{"delta":{"content":"a\u2028b"}}]}\n\n'.encode(),
            'data: {"model":"house","choices":[{"delta":{"content":"a\u2028b"}}]}\n\n'.encode(),
        ),
        (b": PROCESSING\n\n", b": PROCESSING\n\n"),
        (b'data: {"type":"ping"}\n\n', b""),
        (b"data: \n\n", b""),
    ],
)
def test_of_a_frame_every_other_byte_stays(frame: bytes, expected: bytes) -> None:
    assert reader().feed(frame + b"data: x") == expected


@pytest.mark.parametrize("include_usage", [False, True])
def test_the_chunk_of_usage_alone_goes_to_those_who_asked(include_usage: bool) -> None:
    relay = reader(include_usage)
    assert relay.feed(HELLO + END + USED + DONE) == house(
        HELLO + END + (USED if include_usage else b"") + DONE
    )
    assert relay.usage == Usage(
        input_tokens=4, output_tokens=4, cache_creation_input_tokens=0, cache_read_input_tokens=6
    )
    assert relay.estimated is False


def test_usage_beside_an_answer_stays_where_it_is() -> None:
    last = chunk(reason="length", usage={"prompt_tokens": 3, "completion_tokens": 2})
    relay = reader()
    assert relay.feed(HELLO + last + DONE) == house(HELLO + last) + DONE
    assert (relay.usage.input_tokens, relay.usage.output_tokens, relay.stop_reason) == (3, 2, "max_tokens")


def test_reasoning_is_metered() -> None:
    relay = reader()
    relay.feed(
        HELLO + usage(prompt_tokens=3, completion_tokens=9, completion_tokens_details={"reasoning_tokens": 5})
    )
    assert relay.usage.output_tokens_details == OutputTokensDetails(5)


def test_without_usage_the_output_is_estimated_and_the_input_left_open() -> None:
    relay = reader()
    calls = [{"index": 0, "id": "a", "function": {"name": "read", "arguments": '{"a": 1}'}}]
    relay.feed(
        chunk({"reasoning_content": "Hm"}) + chunk({"tool_calls": calls}) + chunk(reason="tool_calls") + DONE
    )
    assert (relay.delivered, relay.estimated, relay.stop_reason) == (10, True, "tool_use")
    assert (relay.usage.input_tokens, relay.usage.output_tokens) == (None, 3)


@pytest.mark.parametrize(
    ("frames", "reason"),
    [
        ([chunk({"content": "x"}), END], "end_turn"),
        ([chunk({"tool_calls": [{"index": 0}]}), END], "tool_use"),
        ([chunk({"function_call": {"name": "read"}}), chunk(reason="function_call")], "tool_use"),
        ([chunk({"refusal": "No."}), END], "refusal"),
        ([chunk(reason="content_filter")], "refusal"),
        ([chunk({"content": "x"})], "end_turn"),
    ],
)
def test_the_reason_of_the_end_is_metered_in_anthropics_words(frames: list[bytes], reason: str) -> None:
    relay = reader()
    relay.feed(b"".join(frames) + DONE)
    assert (relay.state, relay.stop_reason) == (State.DONE, reason)


@pytest.mark.parametrize("rest", [b"", b"data: {", b"data: [DONE]", b"data: [DONE]\n"])
def test_a_missing_end_is_added_once_the_answer_is_whole(rest: bytes) -> None:
    relay = reader()
    told = relay.feed(HELLO + END + rest) + relay.finish()
    assert (told.rstrip(b"\n"), relay.state) == ((house(HELLO + END) + DONE).rstrip(b"\n"), State.DONE)


def test_usage_may_come_in_a_frame_that_nothing_ends() -> None:
    relay = reader(include_usage=True)
    assert relay.feed(HELLO + END + USED[:-2]) + relay.finish() == house(HELLO + END + USED) + DONE
    assert relay.usage.output_tokens == 4


@pytest.mark.parametrize("rest", [b"", b"data: {", chunk({"content": "x"})[:-2]])
def test_a_stream_that_breaks_off_ends_in_an_error(rest: bytes) -> None:
    relay = reader()
    told = relay.feed(HELLO) + relay.feed(rest) + relay.finish()
    assert told.endswith(sse_error("server_error", BROKEN_OFF)) and b"[DONE]" not in told
    assert (relay.state, relay.error) == (State.FAILED, StreamedError("api_error", BROKEN_OFF))


def sse_error(kind: str, message: str, code: str | None = None) -> bytes:
    error = {"message": message, "type": kind, "param": None, "code": code}
    return b"data: %b\n\n" % json.dumps({"error": error}, separators=(",", ":")).encode()


@pytest.mark.parametrize(
    "garbage",
    [
        b"<html>Bad gateway</html>\n\n",
        b"data: <html>\n\n",
        b"data: {\n\n",
        b'data: {"choices": 5}\n\n',
        b'{"choices": []}\n\n',
        DONE,
        chunk(reason="error"),
    ],
)
def test_garbage_is_refused_while_nothing_went_out_and_ends_the_stream_after(garbage: bytes) -> None:
    early = reader()
    with pytest.raises(MalformedStream):
        early.feed(b": hello\n\n")
        early.feed(garbage)
    assert early.state is State.FAILED
    late = reader()
    late.feed(chunk({"role": "assistant"}))
    assert json.loads(late.feed(garbage + HELLO)[6:])["error"]["type"] == "server_error"
    assert (late.state, late.feed(HELLO)) == (State.FAILED, b"")


def test_an_empty_stream_is_refused() -> None:
    with pytest.raises(MalformedStream):
        reader().finish()


@pytest.mark.parametrize(
    "frame",
    [
        sse({"error": {"message": "Not so", "type": "invalid_request_error", "code": 400}}),
        sse({"object": "error", "message": "Not so", "type": "invalid_request_error", "code": 400}),
        b'{"error": {"message": "Not so", "type": "invalid_request_error", "code": 400}}\n\n',
    ],
)
def test_an_error_of_the_provider_keeps_its_kind(frame: bytes) -> None:
    with pytest.raises(FailedStream) as caught:
        reader().feed(HELLO + frame)
    assert (caught.value.type, caught.value.message) == ("invalid_request_error", "Not so")
    late = reader()
    assert late.feed(HELLO) + late.feed(frame) == house(HELLO) + sse_error("invalid_request_error", "Not so")
    assert late.error == StreamedError("invalid_request_error", "Not so")


# Whole answers


def whole(message: Any = None, reason: Any = "stop", **fields: Any) -> bytes:
    choice = {
        "index": 0,
        "message": message or {"role": "assistant", "content": "Hello"},
        "finish_reason": reason,
    }
    return json.dumps({"id": "chatcmpl-1", "model": "real", "choices": [choice]} | fields).encode()


def test_a_whole_answer_goes_on_with_only_the_model_changed() -> None:
    body = whole(usage={"prompt_tokens": 10, "completion_tokens": 4}, extra={"model": "stays"})
    answer = relayed_completion(body, model="house")
    assert answer.body == body.replace(b'"real"', b'"house"')
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (10, 4)
    assert (answer.stop_reason, answer.estimated) == ("end_turn", False)


@pytest.mark.parametrize(
    ("message", "reason", "stop_reason", "output"),
    [
        (
            {"content": None, "tool_calls": [{"function": {"name": "a", "arguments": '{"abc": 1}'}}]},
            "stop",
            "tool_use",
            3,
        ),
        ({"content": None, "function_call": {"name": "a", "arguments": {"a": 1}}}, "stop", "tool_use", 2),
        ({"content": None, "refusal": "No, no."}, "stop", "refusal", 2),
        ({"content": [{"type": "text", "text": "12345678"}], "reasoning": "1234"}, "length", "max_tokens", 3),
    ],
)
def test_a_whole_answer_without_usage_is_estimated(
    message: Any, reason: str, stop_reason: str, output: int
) -> None:
    answer = relayed_completion(whole(message, reason), model="house")
    assert (answer.stop_reason, answer.estimated) == (stop_reason, True)
    assert (answer.usage.input_tokens, answer.usage.output_tokens) == (None, output)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"<html>", "The provider sent an answer that cannot be read."),
        (b"", "The provider sent an answer that cannot be read."),
        (b'{"choices": 5}', "The provider sent an answer that cannot be read."),
        (b"{}", "The provider sent an answer without a message."),
        (whole(reason="error"), "The provider broke its answer off with an error."),
    ],
)
def test_what_is_no_completion_is_the_providers_fault(body: bytes, message: str) -> None:
    with pytest.raises(InternalError) as caught:
        relayed_completion(body, model="house")
    assert caught.value.message == message


def test_an_error_in_a_good_answer_is_an_error() -> None:
    body = b'{"error": {"message": "Too much", "type": "invalid_request_error"}}'
    with pytest.raises(GatewayError) as caught:
        relayed_completion(body, model="house")
    assert (caught.value.status, caught.value.message) == (400, "Too much")


# Whatever the answer

_words = st.text(st.characters(codec="utf-8"), max_size=10) | st.just('"model": "x"}]')
_values = st.none() | _words | st.builds(lambda words: {"model": words, "[": ["model"]}, _words)


@st.composite
def answers(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Chunks with all sorts of keys in any order; the last but one tells the end, the last the usage."""
    chunks: list[dict[str, Any]] = []
    for _ in range(draw(st.integers(1, 4))):
        delta = draw(
            st.fixed_dictionaries({}, optional={"content": _words, "reasoning": _words, "x": _values})
        )
        chunks.append(
            {"model": draw(_words), "choices": [{"index": 0, "delta": delta}], "extra": draw(_values)}
        )
    chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "model": None})
    chunks.append({"choices": [], "model": "x", "usage": {"prompt_tokens": 5, "completion_tokens": 1}})
    return [dict(draw(st.permutations(list(each.items())))) for each in chunks]


@settings(max_examples=100, deadline=None)
@given(answers(), st.booleans(), st.booleans(), st.lists(st.integers(0, 2000), max_size=6))
def test_an_answer_relayed_is_chunk_by_chunk_the_same_but_for_the_model(
    chunks: list[dict[str, Any]], include_usage: bool, ascii_only: bool, cuts: list[int]
) -> None:
    provided = b"".join(
        b"data: %b\n\n" % json.dumps(each, ensure_ascii=ascii_only).encode() for each in chunks
    )
    places = sorted({0, len(provided), *(cut % len(provided) for cut in cuts)})
    relay = reader(include_usage)
    told = b"".join(relay.feed(provided[a:b]) for a, b in itertools.pairwise(places)) + relay.finish()
    *frames, done, rest = told.split(b"\n\n")
    expected = chunks if include_usage else chunks[:-1]
    assert [json.loads(each.removeprefix(b"data: ")) for each in frames] == [
        each | {"model": "house"} for each in expected
    ]
    assert (done, rest, relay.state) == (b"data: [DONE]", b"", State.DONE)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(_words | st.just("model"), _values, max_size=5), st.sampled_from([None, 1]))
def test_only_the_models_name_changes_in_any_object(answer: dict[str, Any], indent: int | None) -> None:
    renamed = json.loads(with_model(json.dumps(answer, indent=indent).encode(), b'"house"'))
    named = isinstance(answer.get("model", 5), str | None)
    assert renamed == (answer | {"model": "house"} if named else answer)
