"""Reading a relayed stream on the side."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.anthropic.relay import MalformedStream, State, StreamReader, read_message
from gateway.protocol.anthropic.usage import CacheCreation, Usage

TRANSCRIPTS = sorted((Path(__file__).parents[1] / "transcripts").glob("*.sse"))

START = (
    b'event: message_start\ndata: {"type":"message_start","message":{"id":"msg_1","usage":'
    b'{"input_tokens":10,"cache_creation_input_tokens":5,"cache_read_input_tokens":100,'
    b'"cache_creation":{"ephemeral_5m_input_tokens":2,"ephemeral_1h_input_tokens":3},"output_tokens":1}}}\n\n'
)
TEXT = (
    b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
    b'"delta":{"type":"text_delta","text":"Hello"}}\n\n'
)
DELTA = (
    b'event: message_delta\ndata: {"type":"message_delta","delta":{"stop_reason":"end_turn"},'
    b'"usage":{"output_tokens":7}}\n\n'
)
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'


@pytest.mark.parametrize("transcript", TRANSCRIPTS, ids=lambda path: path.stem)
@given(step=st.integers(1, 400))
def test_a_recorded_stream_passes_unchanged_however_it_is_cut(transcript: Path, step: int) -> None:
    raw = transcript.read_bytes()
    reader = StreamReader()
    passed = b"".join(reader.feed(raw[at : at + step]) for at in range(0, len(raw), step))
    assert passed == raw
    assert reader.state is State.DONE


def test_usage_is_the_last_that_was_told() -> None:
    reader = StreamReader()
    reader.feed(START + TEXT + DELTA + STOP)
    assert (reader.usage.input_tokens, reader.usage.cache_read_input_tokens) == (10, 100)
    assert (reader.usage.cache_write_5m, reader.usage.cache_write_1h) == (2, 3)
    assert (reader.usage.output_tokens, reader.stop_reason, reader.delivered) == (7, "end_turn", 5)


def test_writes_without_a_split_are_five_minute_writes() -> None:
    usage = Usage(cache_creation_input_tokens=9)
    assert (usage.cache_write_5m, usage.cache_write_1h) == (9, 0)
    usage = Usage(cache_creation_input_tokens=9, cache_creation=CacheCreation(ephemeral_1h_input_tokens=4))
    assert (usage.cache_write_5m, usage.cache_write_1h) == (5, 4)


def test_nothing_passes_after_the_end() -> None:
    reader = StreamReader()
    assert reader.feed(START + STOP + TEXT) == START + STOP
    assert reader.ended


def test_half_a_frame_waits_for_its_other_half() -> None:
    reader = StreamReader()
    assert reader.feed(START + TEXT[:30]) == START
    assert reader.feed(TEXT[30:]) == TEXT


@pytest.mark.parametrize(
    "garbage", [b"data: <html>\n\n", b'data: {"type":"content_block_delta"}\n\n', b"data: 7\n\n"]
)
def test_a_stream_that_is_none_is_noticed_at_its_first_frame(garbage: bytes) -> None:
    with pytest.raises(MalformedStream):
        StreamReader().feed(garbage)


def test_events_nobody_knows_pass() -> None:
    reader = StreamReader()
    unknown = b'event: new_thing\ndata: {"type":"new_thing","x":[1]}\n\n'
    assert reader.feed(START + unknown) == START + unknown


@pytest.mark.parametrize(
    "body", [b"<html>", b'{"type":"message"}', b'{"type":"error","error":{}}', b'{"usage":{}}', b""]
)
def test_an_answer_that_is_no_message_is_not_metered(body: bytes) -> None:
    assert read_message(body) is None
