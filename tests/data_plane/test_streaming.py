"""Time in streams: nothing is held back, silence is filled with pings, and hanging providers are given up."""

from __future__ import annotations

import itertools
import socket
import time

import psutil
import pytest

from tests import stream_grammar
from tests import upstream as provider
from tests.data_plane.house import FIRST_BYTE, HASTY, IDLE, PING_SECONDS, House, body
from tests.upstream import LAST_CHUNK, Hang, Pause, Send, Upstream, chunk, stream_head

FRAMES = provider.frames()


def test_each_chunk_goes_on_at_once(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.streamed(FRAMES, delay=0.08))

    answer = house.post(body(script=script, stream=True))

    times = [
        answer.arrived(b"".join(FRAMES[: position + 1])) - answer.head_at for position in range(len(FRAMES))
    ]
    lateness = [at - position * 0.08 for position, at in enumerate(times)]
    assert max(lateness) < 0.06, lateness
    assert answer.body == b"".join(FRAMES)


def test_frames_that_come_in_pieces_go_on_as_soon_as_they_are_whole(house: House, upstream: Upstream) -> None:
    first, second = FRAMES[0], FRAMES[3]
    split = [Send(chunk(first)), Pause(0.1), Send(chunk(second[:20])), Pause(0.15), Send(chunk(second[20:]))]
    script = upstream.script(
        Send(stream_head()), *split, Pause(0.15), *map(Send, map(chunk, FRAMES[4:])), Send(LAST_CHUNK)
    )

    answer = house.post(body(script=script, stream=True))

    assert answer.arrived(first) - answer.asked_at < 0.1
    assert 0.2 < answer.arrived(second) - answer.asked_at < 0.35


def test_the_head_does_not_ask_anyone_to_buffer(house: House) -> None:
    answer = house.post(body(stream=True))

    assert answer.header("cache-control") in ("no-cache", "no-store", "no-cache, no-store")
    assert answer.header("x-accel-buffering") == "no"
    assert answer.header("content-encoding") is None


def test_accept_headers_and_compression_do_not_change_a_stream(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.streamed(FRAMES))

    answer = house.post(
        body(script=script, stream=True),
        headers=[("accept", "application/json"), ("accept-encoding", "gzip, br")],
    )
    (received,) = upstream.received(script)

    assert answer.body == b"".join(FRAMES)
    assert received.header("accept-encoding") in (None, "identity")


def test_silence_in_an_open_stream_is_filled_with_pings(house: House, upstream: Upstream) -> None:
    silence = Pause(PING_SECONDS * 3.5)
    script = upstream.script(Send(stream_head()), *map(Send, map(chunk, FRAMES[:4])), silence, *_rest(4))

    answer = house.post(body(script=script, stream=True))

    assert answer.body.count(b"event: ping") == 1 + 3
    events = stream_grammar.read(answer.body)
    assert stream_grammar.text_of(events) == "Hello from the provider."
    pings = [at for at, data in answer.arrivals if b"event: ping" in data][1:]
    gaps = [later - earlier for earlier, later in itertools.pairwise(pings)]
    assert all(PING_SECONDS * 0.7 < gap < PING_SECONDS * 1.5 for gap in gaps), gaps


def test_a_ping_never_falls_into_a_frame_that_is_not_whole(house: House, upstream: Upstream) -> None:
    frame = FRAMES[3]
    pieces = [Send(chunk(frame[:25])), Pause(PING_SECONDS * 2.5), Send(chunk(frame[25:]))]
    script = upstream.script(Send(stream_head()), *map(Send, map(chunk, FRAMES[:3])), *pieces, *_rest(4))

    answer = house.post(body(script=script, stream=True))

    assert stream_grammar.text_of(stream_grammar.read(answer.body)) == "Hello from the provider."


def test_no_ping_comes_before_the_stream_is_open(house: House, upstream: Upstream) -> None:
    script = upstream.script(Send(stream_head()), Pause(PING_SECONDS * 1.4), *_rest(0))

    answer = house.post(body(HASTY, script, stream=True))

    assert answer.body == b"".join(FRAMES)


def test_a_provider_that_falls_silent_is_given_up_after_the_idle_limit(
    house: House, upstream: Upstream
) -> None:
    script = upstream.script(Send(stream_head()), *map(Send, map(chunk, FRAMES[:4])), Hang())

    answer = house.post(body(HASTY, script, stream=True))
    (received,) = upstream.received(script)

    events = stream_grammar.read(answer.body, may_fail=True)
    assert events[-1]["error"]["type"] == "timeout_error"
    assert events[-1].get("request_id", answer.header("request-id")) == answer.header("request-id")
    assert IDLE - 0.1 < answer.took < IDLE + 0.6
    assert answer.complete
    assert received.closed.wait(1)


def test_our_own_pings_do_not_keep_a_silent_provider_alive_but_its_own_do(
    house: House, upstream: Upstream
) -> None:
    ping = provider.frame({"type": "ping"})
    alive = [part for _ in range(4) for part in (Pause(IDLE * 0.6), Send(chunk(ping)))]
    script = upstream.script(Send(stream_head()), *map(Send, map(chunk, FRAMES[:4])), *alive, *_rest(4))

    answer = house.post(body(HASTY, script, stream=True))

    assert stream_grammar.text_of(stream_grammar.read(answer.body)) == "Hello from the provider."


@pytest.mark.parametrize("head", [[], [Send(stream_head())]], ids=["before the head", "after the head"])
def test_a_stream_that_never_begins_is_an_error_with_a_status(
    house: House, upstream: Upstream, head: provider.Script
) -> None:
    script = upstream.script(head, Hang())

    answer = house.post(body(HASTY, script, stream=True))

    assert (answer.status, answer.json["error"]["type"]) == (504, "timeout_error")
    assert answer.json["request_id"] == answer.header("request-id")
    assert FIRST_BYTE - 0.1 < answer.took < FIRST_BYTE + 0.6


def test_a_json_answer_that_never_comes_is_an_error_with_a_status(house: House, upstream: Upstream) -> None:
    script = upstream.script(Hang())

    answer = house.post(body(HASTY, script))

    assert (answer.status, answer.json["error"]["type"]) == (504, "timeout_error")
    assert FIRST_BYTE - 0.1 < answer.took < FIRST_BYTE + 0.6


def test_a_json_answer_may_take_longer_than_a_streams_first_byte_limit_by_default(
    house: House, upstream: Upstream
) -> None:
    script = upstream.script(Pause(1.2), provider.reply(200, provider.message()))

    began = time.monotonic()
    answer = house.post(body(script=script))

    assert (answer.status, time.monotonic() - began > 1.2) == (200, True)


def test_many_streams_at_once_are_all_paced(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.streamed(FRAMES, delay=0.05))

    answers = house.ask_all([house.message(body(script=script, stream=True))] * 24, at_once=24)

    assert {answer.body for answer in answers} == {b"".join(FRAMES)}
    assert max(answer.took for answer in answers) < 0.05 * len(FRAMES) + 1.0


def test_a_reader_that_stops_reading_holds_the_provider_up_and_not_the_memory(
    house: House, upstream: Upstream
) -> None:
    large = provider.frame(
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "x" * 64_000}}
    )
    script = upstream.script(
        Send(stream_head()), *map(Send, map(chunk, FRAMES[:3])), [Send(chunk(large))] * 1_000
    )
    process = psutil.Process(house.gateway.pid)

    with socket.create_connection(("127.0.0.1", house.port)) as connection:
        connection.sendall(house.message(body(script=script, stream=True)))
        before = process.memory_info().rss
        time.sleep(1.5)
        grown = process.memory_info().rss - before
    (received,) = upstream.received(script)

    assert grown < 16 << 20
    assert received.closed.wait(3), "the provider goes on for nobody"
    assert received.finished_at is None, "everything was taken from it"


def _rest(position: int) -> provider.Script:
    return [*map(Send, map(chunk, FRAMES[position:])), Send(LAST_CHUNK)]
