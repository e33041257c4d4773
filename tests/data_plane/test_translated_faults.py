"""Bad providers of the OpenAI dialect: each brings the right error or the right message, never a silent end."""

from __future__ import annotations

import json
from collections import Counter

import psutil
import pytest

from gateway.protocol.anthropic.fold import message_of
from tests import openai_provider as chat
from tests import stream_grammar
from tests import upstream as provider
from tests.data_plane.house import HASTY_TRANSLATED, House, body
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
    streamed,
)

COMPLETION = json.dumps(chat.completion()).encode()
FRAMES = chat.frames()
LENGTH = ("content-length", str(len(COMPLETION)))
HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>nginx</h1>"
BUSY = chat.error("Too busy", "server_error", "overloaded")
ROLE = chat.chunk({"role": "assistant", "content": ""})
TOOL = {"name": "run", "input_schema": {"type": "object", "properties": {}}}

API_ERROR = (500, "api_error")
OVERLOADED = (529, "overloaded_error")
TIMEOUT = (504, "timeout_error")

BEFORE: dict[str, tuple[Script, tuple[int, str]]] = {
    "closes without a word": ([Close()], API_ERROR),
    "resets without a word": ([Reset()], API_ERROR),
    "half-closes without a word": ([HalfClose(), Hang()], API_ERROR),
    "answers in HTML with 200": (reply(200, HTML, content_type="text/html"), API_ERROR),
    "answers an empty 200": (reply(200, b""), API_ERROR),
    "answers something that is no completion": (reply(200, b'{"ok": true}'), API_ERROR),
    "answers an error with 200": (reply(200, BUSY), OVERLOADED),
    "answers in gzip that nobody asked for": (
        reply(200, b"\x1f\x8b nonsense", ("content-encoding", "gzip")),
        API_ERROR,
    ),
    "never answers": ([Hang()], TIMEOUT),
}
JSON_ONLY: dict[str, tuple[Script, tuple[int, str]]] = {
    "answers truncated JSON": (reply(200, COMPLETION[:-20]), API_ERROR),
    "closes within the body": ([Send(head(200, LENGTH) + COMPLETION[:50]), Close()], API_ERROR),
    "hangs within the body": ([Send(head(200, LENGTH) + COMPLETION[:50]), Hang()], TIMEOUT),
    "calls a tool with arguments that are not JSON": (
        reply(200, chat.completion(None, tool_calls=[chat.call("run", "rm -rf {")])),
        API_ERROR,
    ),
}
STREAM_ONLY: dict[str, tuple[Script, tuple[int, str]]] = {
    "opens a stream and ends it": ([Send(stream_head() + LAST_CHUNK)], API_ERROR),
    "opens a stream and hangs": ([Send(stream_head()), Hang()], TIMEOUT),
    "says only [DONE]": (streamed([chat.DONE]), API_ERROR),
    "begins with an error frame": (streamed([chat.frame(BUSY)]), OVERLOADED),
    "streams HTML": (streamed([HTML]), API_ERROR),
    "streams truncated JSON": (streamed([FRAMES[0][:40] + b"\n\n"]), API_ERROR),
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
    house: House, upstream: Upstream, stream: bool, what: str, case: tuple[Script, tuple[int, str]]
) -> None:
    steps, (status, kind) = case
    script = upstream.script(steps)

    answer = house.post(body(HASTY_TRANSLATED, script, stream=stream, tools=[TOOL]))

    assert (answer.complete, answer.status, answer.json["error"]["type"]) == (True, status, kind)
    assert answer.json["request_id"] == answer.header("request-id")
    assert "Traceback" not in answer.json["error"]["message"]
    assert house.usage(answer.header("request-id")).status == status


def _told(text: str) -> list[bytes]:
    """The frames of an answer that says `text`."""
    return chat.frames(chat.chunks([text]))


ODD = "a\u2028b\u2029c\x85d\U0001f94a"
TOLD: dict[str, tuple[Script, str]] = {
    "line separators inside the text": (streamed(_told(ODD)), ODD),
    "UTF-8 cut anywhere": (
        streamed([bytes([byte]) for byte in b"".join(_told("\u00e9\U0001f94a"))]),
        "\u00e9\U0001f94a",
    ),
    "CRLF": (streamed([frame.replace(b"\n", b"\r\n") for frame in _told("Hi")]), "Hi"),
    "comments": (streamed([b": keep-alive\n\n", *_told("Hi")[:2], b": still\n\n", *_told("Hi")[2:]]), "Hi"),
    "no [DONE]": (streamed(_told("Hi")[:-1]), "Hi"),
    "a wrong content type": (
        [
            Send(head(200, ("transfer-encoding", "chunked"), content_type="text/plain")),
            *(Send(chunk(frame)) for frame in _told("Hi")),
            Send(LAST_CHUNK),
        ],
        "Hi",
    ),
    "an event of ten megabytes": (streamed(_told("x" * 10_000_000)), "x" * 10_000_000),
    "negative usage": (
        streamed(chat.frames(chat.chunks(["Hi"], usage=chat.USAGE | {"completion_tokens": -3}))),
        "Hi",
    ),
}


@pytest.mark.parametrize("what", TOLD)
def test_an_odd_stream_that_can_be_read_is_the_right_message(
    house: House, upstream: Upstream, what: str
) -> None:
    steps, text = TOLD[what]
    script = upstream.script(steps)

    answer = house.post(body(HASTY_TRANSLATED, script, stream=True))

    assert (answer.status, answer.complete) == (200, True)
    stream_grammar.read(answer.body)
    message = json.loads(message_of(answer.body))
    assert "".join(block["text"] for block in message["content"]) == text
    assert message["usage"]["output_tokens"] >= 0


def test_two_calls_with_one_id_get_ids_of_their_own(house: House, upstream: Upstream) -> None:
    calls = [chat.call("run", {"n": 1}, "call_1"), chat.call("run", {"n": 2}, "call_1")]
    script = upstream.script(reply(200, chat.completion(None, finish_reason="tool_calls", tool_calls=calls)))

    content = house.post(body(HASTY_TRANSLATED, script, tools=[TOOL])).json["content"]

    assert [block["input"] for block in content] == [{"n": 1}, {"n": 2}]
    assert len({block["id"] for block in content}) == 2


BEGUN = b"".join(map(chunk, FRAMES[:3]))
AFTER: dict[str, tuple[Script, str]] = {
    "closes": ([Close()], "api_error"),
    "resets": ([Pause(0.02), Reset()], "api_error"),
    "ends without a finish": ([Send(LAST_CHUNK)], "api_error"),
    "closes within a frame": ([Send(chunk(FRAMES[3][:30])), Close()], "api_error"),
    "sends an error frame": ([Send(chunk(chat.frame(BUSY)) + LAST_CHUNK)], "overloaded_error"),
    "sends HTML": ([Send(chunk(HTML + b"\n\n") + LAST_CHUNK)], "api_error"),
    "sends a frame that is not JSON": ([Send(chunk(b"data: {nonsense\n\n")), Hang()], "api_error"),
    "hangs": ([Hang()], "timeout_error"),
    "never ends a frame": ([Send(chunk(b"data: " + b"x" * 40_000_000)), Hang()], "api_error"),
}


@pytest.mark.parametrize("what", AFTER)
def test_after_the_first_byte_it_is_exactly_one_error_event(
    house: House, upstream: Upstream, what: str
) -> None:
    steps, kind = AFTER[what]
    script = upstream.script(Send(stream_head() + BEGUN), Pause(0.05), steps)

    answer = house.post(body(HASTY_TRANSLATED, script, stream=True))

    assert (answer.status, answer.complete) == (200, True)
    events = stream_grammar.read(answer.body, may_fail=True)
    assert (events[-1]["type"], events[-1]["error"]["type"]) == ("error", kind)
    assert len(upstream.received(script)) == 1
    settled = house.usage(answer.header("request-id"))
    assert (settled.usage_source, settled.error_type) == ("estimated", kind)


@pytest.mark.parametrize("each", [2, pytest.param(1, marks=pytest.mark.long)])
def test_a_stream_cut_at_any_byte_never_ends_silently(house: House, upstream: Upstream, each: int) -> None:
    """Whole once the finish has come: what is cut after that costs no word of the answer."""
    recorded = b"".join(
        chat.frames(
            [
                ROLE,
                chat.chunk({"reasoning_content": "Hm"}),
                chat.chunk({"content": "I call."}),
                chat.chunk({"tool_calls": [{"index": 0, **chat.call("run", '{"n"')}]}),
                chat.chunk({"tool_calls": [{"index": 0, "function": {"arguments": ":1}"}}]}),
                chat.chunk({}, "tool_calls", usage=chat.USAGE),
            ]
        )
    )
    endings: list[list[provider.Step]] = [[Close()], [Reset()], [Send(LAST_CHUNK)]]
    raws = [
        house.message(
            body(
                HASTY_TRANSLATED,
                upstream.script([Send(stream_head() + chunk(recorded[:at]))], endings[at % 3]),
                stream=True,
            )
        )
        for at in range(0, len(recorded), each)
    ]

    answers = house.ask_all(raws, at_once=24)

    outcomes: Counter[str] = Counter()
    for answer in answers:
        if answer.status != 200:
            assert answer.json["error"]["type"] in ("api_error", "timeout_error")
            outcomes["refused"] += 1
        else:
            last = stream_grammar.read(answer.body, may_fail=True)[-1]["type"]
            outcomes[last] += 1
    assert sum(outcomes.values()) == len(raws)
    assert outcomes["error"] > outcomes["refused"] > 0 and outcomes["message_stop"] > 0


@pytest.mark.parametrize("stream", [False, True])
def test_a_reply_that_unpacks_to_150_megabytes_is_bounded(
    house: House, upstream: Upstream, stream: bool
) -> None:
    script = upstream.script(reply(200, gzip_bomb(150), ("content-encoding", "gzip")))
    process = psutil.Process(house.gateway.pid)
    before = process.memory_info().rss

    answer = house.post(body(HASTY_TRANSLATED, script, stream=stream))

    assert (answer.status, answer.json["error"]["type"]) == (500, "api_error")
    assert process.memory_info().rss - before < 96 << 20
