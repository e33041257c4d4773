"""Cutting a stream into frames: any line ends, any split into chunks, nothing lost and nothing invented."""

from __future__ import annotations

import itertools
import json

import pytest
from anthropic._streaming import SSEDecoder
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol import sse

payloads = st.text(max_size=40).map(lambda text: json.dumps({"text": text}, ensure_ascii=False).encode())
line_ends = st.sampled_from([b"\n", b"\r\n", b"\r"])


@st.composite
def streams(draw: st.DrawFn) -> tuple[bytes, list[bytes]]:
    """A stream and the data of its frames; each frame has line ends of its own."""
    data = draw(st.lists(payloads, min_size=1, max_size=6))
    parts = []
    for payload in data:
        end = draw(line_ends)
        comment = draw(st.sampled_from([b"", b": a comment" + end]))
        parts.append(comment + b"event: message" + end + b"data: " + payload + end + end)
    return b"".join(parts), data


def chunks(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = sorted({0, len(stream), *(cut % (len(stream) + 1) for cut in cuts)})
    return [stream[start:end] for start, end in itertools.pairwise(edges)]


@settings(max_examples=200)
@given(stream=streams(), cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_any_split_gives_the_same_frames(stream: tuple[bytes, list[bytes]], cuts: list[int]) -> None:
    raw, data = stream
    splitter = sse.FrameSplitter()
    frames = [frame for chunk in chunks(raw, cuts) for frame in splitter.feed(chunk)]
    assert b"".join(frames) + splitter.rest == raw
    assert len(frames) == len(data) or (raw.endswith(b"\r") and len(frames) == len(data) - 1)
    assert [found for frame in frames if (found := sse.data_of(frame)) is not None] == data


@settings(max_examples=100)
@given(stream=streams(), cuts=st.lists(st.integers(0, 10_000), max_size=12))
def test_the_official_sdk_reads_the_same_events(stream: tuple[bytes, list[bytes]], cuts: list[int]) -> None:
    raw, _ = stream
    theirs = [event.data.encode() for event in SSEDecoder().iter_bytes(iter(chunks(raw, cuts)))]
    splitter = sse.FrameSplitter()
    frames = [frame for chunk in chunks(raw, cuts) for frame in splitter.feed(chunk)]
    assert [found for frame in frames if (found := sse.data_of(frame)) is not None] == theirs


@given(text=st.text())
def test_no_content_makes_a_frame(text: str) -> None:
    written = sse.frame("content_block_delta", json.dumps({"text": text}, ensure_ascii=False).encode())
    assert sse.FrameSplitter().feed(written) == [written]


def test_a_frame_without_an_end_is_bounded() -> None:
    splitter = sse.FrameSplitter(limit=1000)
    splitter.feed(b"data: " + b"x" * 900)
    with pytest.raises(sse.FrameTooLarge):
        splitter.feed(b"x" * 200)


def test_lines_of_data_are_joined() -> None:
    assert sse.data_of(b"data: one\ndata:two\nid: 7\n\n") == b"one\ntwo"
    assert sse.data_of(b": only a comment\n\n") is None
