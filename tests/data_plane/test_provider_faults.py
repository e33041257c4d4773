"""Providers that refuse, die, hang or talk nonsense: the right Anthropic error, never an empty success."""

from __future__ import annotations

import json
from collections.abc import Iterator

import psutil
import pytest

from tests import stream_grammar
from tests import upstream as provider
from tests.data_plane.house import HASTY, REFUSED, SILENT, House, body
from tests.outages.site import until
from tests.upstream import (
    LAST_CHUNK,
    Close,
    HalfClose,
    Hang,
    Pause,
    Reset,
    Script,
    Send,
    Upstream,
    chunk,
    gzip_bomb,
    head,
    reply,
    stream_head,
)

MESSAGE = json.dumps(provider.message()).encode()
FRAMES = provider.frames()
LENGTH = ("content-length", str(len(MESSAGE)))
HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>nginx</h1>"

API_ERROR = {500: "api_error", 502: "api_error", 503: "api_error", 529: "overloaded_error"}
TIMEOUT = {504: "timeout_error"}

# What a provider may do before anything has been passed on, whether JSON or a stream was asked for.
BEFORE: dict[str, tuple[Script, dict[int, str]]] = {
    "closes without a word": ([Close()], API_ERROR),
    "resets without a word": ([Reset()], API_ERROR),
    "half-closes without a word": ([HalfClose(), Hang()], API_ERROR),
    "closes within the head": ([Send(head(200)[:40]), Close()], API_ERROR),
    "resets within the head": ([Send(head(200)[:40]), Pause(0.02), Reset()], API_ERROR),
    "speaks another protocol": ([Send(b"SSH-2.0-OpenSSH_9.2\r\n"), Close()], API_ERROR),
    "sends binary garbage": ([Send(bytes(range(256)) * 4), Close()], API_ERROR),
    "sends a broken status line": ([Send(b"HTTP/1.1 abc Nonsense\r\n\r\n"), Close()], API_ERROR),
    "sends a header of 2 MB": ([Send(head(200, ("x-big", "x" * 2_000_000))), Close()], API_ERROR),
    "answers in HTML with 200": (reply(200, HTML, content_type="text/html"), API_ERROR),
    "answers in HTML with 502": (reply(502, HTML, content_type="text/html"), API_ERROR),
    "answers in HTML with 503": (reply(503, HTML, content_type="text/html"), API_ERROR),
    "answers an empty 200": (reply(200, b""), API_ERROR),
    "answers an empty 500": (reply(500, b"", content_type="text/plain"), API_ERROR),
    "answers 204": ([Send(head(204, content_type=None))], API_ERROR),
    "redirects": (reply(302, b"", ("location", "http://127.0.0.1:9/elsewhere")), API_ERROR),
    "redirects for good": (reply(308, b"", ("location", "/v1/elsewhere")), API_ERROR),
    "answers truncated JSON": (reply(200, MESSAGE[:-20]), API_ERROR),
    "answers a list": (reply(200, b"[]"), API_ERROR),
    "answers something that is no message": (reply(200, b'{"ok": true}'), API_ERROR),
    "answers an error with 200": (reply(200, provider.error("overloaded_error", "Busy")), API_ERROR),
    "answers garbled gzip": (reply(200, b"\x1f\x8b nonsense", ("content-encoding", "gzip")), API_ERROR),
    "never answers": ([Hang()], TIMEOUT),
    "never ends its head": ([Send(head(200)[:40]), Hang()], TIMEOUT),
}
JSON_ONLY: dict[str, tuple[Script, dict[int, str]]] = {
    "closes within the body": ([Send(head(200, LENGTH) + MESSAGE[:50]), Close()], API_ERROR),
    "resets within the body": ([Send(head(200, LENGTH) + MESSAGE[:50]), Pause(0.02), Reset()], API_ERROR),
    "half-closes within the body": ([Send(head(200, LENGTH) + MESSAGE[:50]), HalfClose(), Hang()], API_ERROR),
    "leaves out the last chunk": (
        [Send(head(200, ("transfer-encoding", "chunked")) + chunk(MESSAGE)), Close()],
        API_ERROR,
    ),
    "sends a broken chunk": (
        [Send(head(200, ("transfer-encoding", "chunked")) + chunk(MESSAGE[:50]) + b"zz\r\nxx\r\n"), Close()],
        API_ERROR,
    ),
    "hangs within the body": ([Send(head(200, LENGTH) + MESSAGE[:50]), Hang()], TIMEOUT),
    "streams what was to be JSON": (provider.streamed(FRAMES), API_ERROR),
}
STREAM_ONLY: dict[str, tuple[Script, dict[int, str]]] = {
    "opens a stream and closes": ([Send(stream_head()), Close()], API_ERROR),
    "opens a stream and resets": ([Send(stream_head()), Pause(0.02), Reset()], API_ERROR),
    "opens a stream and ends it": ([Send(stream_head() + LAST_CHUNK)], API_ERROR),
    "opens a stream and hangs": ([Send(stream_head()), Hang()], TIMEOUT),
    "cuts the first frame": ([Send(stream_head() + chunk(FRAMES[0][:60])), Close()], API_ERROR),
    "streams HTML": (provider.streamed([HTML]), API_ERROR),
    "answers JSON where a stream was asked for": (reply(200, MESSAGE), API_ERROR),
}
CASES = [
    *((False, *case) for case in (BEFORE | JSON_ONLY).items()),
    *((True, *case) for case in (BEFORE | STREAM_ONLY).items()),
]


@pytest.mark.parametrize(
    ("stream", "what", "case"),
    CASES,
    ids=[f"{'stream' if stream else 'json'}: {what}" for stream, what, _ in CASES],
)
def test_before_the_first_byte_it_is_an_error_with_a_status(
    house: House, upstream: Upstream, stream: bool, what: str, case: tuple[Script, dict[int, str]]
) -> None:
    steps, expected = case
    script = upstream.script(steps)

    answer = house.post(body(HASTY, script, stream=stream))

    assert answer.complete and answer.status in expected, (answer.status, answer.body[:300])
    given = answer.json
    assert given == {
        "type": "error",
        "error": {"type": expected[answer.status], "message": given["error"]["message"]},
        "request_id": answer.header("request-id"),
    }
    assert given["error"]["message"] and "Traceback" not in given["error"]["message"]
    assert answer.took < 2.5
    assert 1 <= len(upstream.received(script)) <= 2
    settled = house.usage(answer.header("request-id"))
    assert (settled.status, settled.stream) == (answer.status, stream)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("model", "expected"), [(REFUSED, API_ERROR), (SILENT, TIMEOUT)], ids=["refused connection", "black hole"]
)
def test_a_provider_that_is_not_there_is_an_error_with_a_status(
    house: House, model: str, expected: dict[int, str], stream: bool
) -> None:
    answer = house.post(body(model, stream=stream))

    assert answer.status in expected
    assert answer.json["error"]["type"] == expected[answer.status]
    assert answer.json["request_id"] == answer.header("request-id")
    assert "127.0.0.1" not in answer.json["error"]["message"]
    assert answer.took < 2.5


@pytest.fixture
def leaving(house: House, upstream: Upstream) -> Iterator[str]:
    """A model whose only provider is drained."""
    name = "claude-leaving"
    route = {"provider": name, "model": "upstream-model", "priority": 1}
    house.office.wish("provider", name=name, base_url=upstream.base_url, api_key="k")
    house.office.wish("model", name=name, aliases=[], routes=[route])
    house.office.wish("drain", provider=name)
    yield name
    house.office.wish("remove_model", name=name)
    until(lambda: house.post(body(name)).status == 404, 5, "the model is still there")


def test_a_model_whose_only_provider_is_drained_is_overloaded(house: House, leaving: str) -> None:
    until(lambda: house.post(body(leaving)).status == 529, 5, "the drained provider is still asked")

    for path in ("/v1/messages", "/v1/messages/count_tokens"):
        answer = house.post(body(leaving), path=path)
        assert answer.status == 529
        assert answer.json["error"]["type"] == "overloaded_error"
        assert answer.json["error"]["message"] == f"No provider serves {leaving} at the moment."


BEGUN = b"".join(map(chunk, FRAMES[:4]))
AFTER: dict[str, tuple[Script, str]] = {
    "closes": ([Close()], "api_error"),
    "resets": ([Pause(0.02), Reset()], "api_error"),
    "half-closes": ([HalfClose(), Hang()], "api_error"),
    "ends without message_stop": ([Send(LAST_CHUNK)], "api_error"),
    "ends within a frame": ([Send(chunk(FRAMES[4][:30]) + LAST_CHUNK)], "api_error"),
    "closes within a frame": ([Send(chunk(FRAMES[4][:30])), Close()], "api_error"),
    "closes within a chunk": ([Send(chunk(FRAMES[4])[:30]), Close()], "api_error"),
    "breaks the chunking": ([Send(b"nonsense\r\n"), Close()], "api_error"),
    "sends binary garbage": ([Send(chunk(bytes(range(256)))), Close()], "api_error"),
    "sends HTML": ([Send(chunk(HTML + b"\n\n") + LAST_CHUNK)], "api_error"),
    "sends a frame that is not JSON": (
        [Send(chunk(b"event: content_block_delta\ndata: {nonsense\n\n")), Hang()],
        "api_error",
    ),
    "hangs": ([Hang()], "timeout_error"),
    "hangs within a frame": ([Send(chunk(FRAMES[4][:30])), Hang()], "timeout_error"),
    "never ends a frame": ([Send(chunk(b"data: " + b"x" * 40_000_000)), Hang()], "api_error"),
}


@pytest.mark.parametrize("what", AFTER)
def test_after_the_first_byte_it_is_exactly_one_error_event(
    house: House, upstream: Upstream, what: str
) -> None:
    steps, kind = AFTER[what]
    script = upstream.script(Send(stream_head() + BEGUN), Pause(0.05), steps)

    answer = house.post(body(HASTY, script, stream=True))

    assert (answer.status, answer.complete) == (200, True)
    events = stream_grammar.read(answer.body, may_fail=True)
    assert answer.body.startswith(b"".join(FRAMES[:4]))
    assert (events[-1]["type"], events[-1]["error"]["type"]) == ("error", kind)
    assert "Traceback" not in events[-1]["error"]["message"]
    assert len(upstream.received(script)) == 1
    settled = house.usage(answer.header("request-id"))
    assert (settled.usage_source, settled.error_type) == ("estimated", kind)


def test_a_providers_own_error_event_is_passed_on_and_ends_the_stream(
    house: House, upstream: Upstream
) -> None:
    frame = provider.frame(provider.error("overloaded_error", "Overloaded"))
    script = upstream.script(provider.streamed([*FRAMES[:5], frame], delay=0.03))

    answer = house.post(body(script=script, stream=True))

    assert answer.body == b"".join([*FRAMES[:5], frame])
    assert house.usage(answer.header("request-id")).error_type == "overloaded_error"


def test_what_comes_after_message_stop_is_not_needed(house: House, upstream: Upstream) -> None:
    """The message is whole; that the connection then breaks is no error for the client."""
    script = upstream.script(Send(stream_head() + b"".join(map(chunk, FRAMES))), Pause(0.02), Reset())

    answer = house.post(body(script=script, stream=True))

    assert stream_grammar.read(answer.body)[-1] == {"type": "message_stop"}
    assert house.usage(answer.header("request-id")).usage_source == "reported"


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_that_unpacks_to_150_megabytes_is_bounded(
    house: House, upstream: Upstream, stream: bool
) -> None:
    headers = [("content-encoding", "gzip")]
    script = upstream.script(reply(200, gzip_bomb(150), *headers))
    process = psutil.Process(house.gateway.pid)
    before = process.memory_info().rss

    answer = house.post(body(HASTY, script, stream=stream))

    assert answer.status >= 500 and answer.json["error"]["type"] == "api_error"
    assert process.memory_info().rss - before < 96 << 20


def test_after_all_faults_the_gateway_still_serves_and_holds_no_connections(house: House) -> None:
    assert house.post(body()).status == 200
    assert len(psutil.Process(house.gateway.pid).net_connections("tcp")) < 120
