"""Requests refused at the door: the exact envelope, nothing for the provider, nothing off the limits."""

from __future__ import annotations

import asyncio
import json
import zlib
from typing import Any

import psutil
import pytest

from tests.data_plane import wire
from tests.data_plane.house import HELLO, JSON, SCRIPTED, VERSION, House, body
from tests.data_plane.wire import Answer, Wire

NOT_JSON = None  # the wording of a parser's complaint is its own


def nested(depth: int) -> bytes:
    """A body whose deepest value stands `depth` levels deep."""
    inner = b"[" * (depth - 1) + b"]" * (depth - 1)
    return (
        b'{"model":"claude-scripted","max_tokens":5,"messages":[{"role":"user","content":"x"}],"x":'
        + inner
        + b"}"
    )


def raw(fields: str) -> bytes:
    return ("{" + fields + "}").encode()


OK = '"model":"claude-scripted","max_tokens":5,"messages":[{"role":"user","content":"x"}]'
START = '"model":"claude-scripted","max_tokens":5,"messages":'
BAD_BODIES: list[tuple[str, bytes, str | None]] = [
    ("empty", b"", NOT_JSON),
    ("not JSON", b"model=claude", NOT_JSON),
    ("cut JSON", raw(OK)[:-1], NOT_JSON),
    ("two documents", raw(OK) + raw(OK), NOT_JSON),
    ("a trailing comma", raw(OK + ","), NOT_JSON),
    ("a byte order mark", b"\xef\xbb\xbf" + raw(OK), NOT_JSON),
    ("UTF-16", raw(OK).decode().encode("utf-16"), NOT_JSON),
    ("invalid UTF-8", raw(OK).replace(b'"x"', b'"\xff"'), NOT_JSON),
    ("an overlong form", raw(OK).replace(b'"x"', b'"\xc0\xaf"'), NOT_JSON),
    ("a lone surrogate in UTF-8", raw(OK).replace(b'"x"', b'"\xed\xa0\x80"'), NOT_JSON),
    ("a lone surrogate escaped", raw(OK).replace(b'"x"', b'"\\ud800"'), NOT_JSON),
    ("a low surrogate first", raw(OK).replace(b'"x"', b'"\\udc00\\ud800"'), NOT_JSON),
    ("a lone surrogate deep down", raw(OK + ',"metadata":{"a":["\\ud83e"]}'), NOT_JSON),
    ("a lone surrogate in a key", raw(OK + ',"metadata":{"\\udfff":1}'), NOT_JSON),
    ("a NUL character", raw(OK).replace(b'"x"', b'"\\u0000"'), NOT_JSON),
    ("NaN", raw(OK + ',"temperature":NaN'), NOT_JSON),
    ("Infinity", raw(OK + ',"temperature":Infinity'), NOT_JSON),
    ("minus Infinity", raw(OK + ',"temperature":-Infinity'), NOT_JSON),
    ("a control character", raw(OK).replace(b'"x"', b'"\n"'), NOT_JSON),
    ("an array", b"[" + raw(OK) + b"]", NOT_JSON),
    ("a string", b'"hello"', NOT_JSON),
    ("null", b"null", NOT_JSON),
    ("65 levels", nested(65), NOT_JSON),
    ("100,000 levels", nested(100_000), NOT_JSON),
    ("100,000 open brackets", b"[" * 100_000, NOT_JSON),
    ("100,000 open objects", b'{"a":' * 100_000, NOT_JSON),
    ("a repeated model", raw(OK + ',"model":"claude-hasty"'), "model: "),
    ("a repeated model with an escape", raw(OK + ',"mod\\u0065l":"claude-hasty"'), "model: "),
    ("a repeated unknown key", raw(OK + ',"zz":1,"zz":1'), "zz: "),
    ("no model", raw('"max_tokens":5,"messages":[]'), "model: Field required"),
    ("a null model", raw(OK.replace('"claude-scripted"', "null")), "model: Input should be a valid string"),
    ("a numeric model", raw(OK.replace('"claude-scripted"', "5")), "model: Input should be a valid string"),
    ("an empty model", raw(OK.replace('"claude-scripted"', '""')), "model: "),
    ("no max_tokens", raw('"model":"claude-scripted","messages":[]'), "max_tokens: Field required"),
    ("a null max_tokens", raw(OK.replace("5", "null")), "max_tokens: Input should be a valid integer"),
    ("a textual max_tokens", raw(OK.replace("5", '"5"')), "max_tokens: Input should be a valid integer"),
    ("a broken max_tokens", raw(OK.replace("5", "5.5")), "max_tokens: Input should be a valid integer"),
    ("a boolean max_tokens", raw(OK.replace("5", "true")), "max_tokens: Input should be a valid integer"),
    ("a negative max_tokens", raw(OK.replace("5", "-1")), "max_tokens: Input should be greater than"),
    ("a huge max_tokens", raw(OK.replace("5", "1" + "0" * 40)), "max_tokens: "),
    ("no messages", raw(START.removesuffix(',"messages":')), "messages: Field required"),
    ("null messages", raw(START + "null"), "messages: Input should be a valid list"),
    ("textual messages", raw(START + '"hi"'), "messages: Input should be a valid list"),
    ("an object of messages", raw(START + "{}"), "messages: Input should be a valid list"),
    ("no message at all", raw(START + "[]"), "messages: "),
    ("a textual stream", raw(OK + ',"stream":"true"'), "stream: Input should be a valid boolean"),
    ("a numeric stream", raw(OK + ',"stream":1'), "stream: Input should be a valid boolean"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("sent", "message"), [case[1:] for case in BAD_BODIES], ids=[case[0] for case in BAD_BODIES]
)
def test_a_bad_body_is_refused_by_name_and_reaches_no_provider(
    house: House, sent: bytes, message: str | None
) -> None:
    before = len(house.upstream.log)

    answer = house.post(sent)

    assert_refused(answer, 400, "invalid_request_error")
    assert answer.json["error"]["message"].startswith(message or "The request body"), answer.body
    assert len(house.upstream.log) == before


@pytest.mark.parametrize("sent", [b"", b"[]", raw('"messages":[]'), raw('"model":"claude-scripted"')])
def test_counting_tokens_refuses_bad_bodies_in_the_same_way(house: House, sent: bytes) -> None:
    assert_refused(house.post(sent, path="/v1/messages/count_tokens"), 400, "invalid_request_error")


@pytest.mark.parametrize(
    "sent",
    [
        nested(64),
        raw(OK + ',"stream":false'),
        raw(OK + ',"zz":' + "9" * 5000),
        raw(OK.replace("5", "0")),
        raw(OK + ',"metadata":{"a":1,"a":2,"b":1e400}'),
        raw(OK).replace(b'"x"', b'"\\ud83e\\udd4a"'),
    ],
)
def test_odd_but_good_bodies_pass(house: House, sent: bytes) -> None:
    answer = house.post(sent)

    assert answer.status == 200, answer.body


@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_an_unknown_model_is_not_found(house: House, path: str) -> None:
    answer = house.post(body("claude-from-nowhere"), path=path)

    assert_refused(answer, 404, "not_found_error", "model: claude-from-nowhere")


@pytest.mark.parametrize(
    "path", ["/v1/nothing", "/v1/messages/", "/v1/messages/batches/x/y/z", "/v1", "/v1/", "/v1/v1/nothing"]
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_an_unknown_path_is_not_found_in_the_envelope_and_never_a_redirect(
    house: House, path: str, method: str
) -> None:
    answer = house.ask(wire.request(method, path, [VERSION, JSON, ("x-api-key", house.key)]))

    assert_refused(answer, 404, "not_found_error")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/messages", {"POST"}),
        ("PUT", "/v1/messages", {"POST"}),
        ("DELETE", "/v1/messages", {"POST"}),
        ("GET", "/v1/messages/count_tokens", {"POST"}),
        ("POST", "/v1/models", {"GET", "HEAD"}),
        ("POST", "/v1/models/claude-scripted", {"GET", "HEAD"}),
    ],
)
def test_a_wrong_method_is_named(house: House, method: str, path: str, allowed: set[str]) -> None:
    answer = house.ask(wire.request(method, path, [VERSION, JSON, ("x-api-key", house.key)]))

    assert_refused(answer, 405, "invalid_request_error")
    assert set((answer.header("allow") or "").replace(" ", "").split(",")) <= allowed


@pytest.mark.parametrize("version", ["2023-01-01", "2099-01-01", "latest", ""])
@pytest.mark.parametrize("path", ["/v1/messages", "/v1/messages/count_tokens"])
def test_an_unknown_version_is_refused(house: House, version: str, path: str) -> None:
    before = len(house.upstream.log)

    answer = house.post(body(), path=path, usual=[("anthropic-version", version), JSON])

    assert_refused(answer, 400, "invalid_request_error")
    assert "anthropic-version" in answer.json["error"]["message"]
    assert len(house.upstream.log) == before


@pytest.mark.parametrize("coding", ["gzip", "deflate", "br", "zstd"])
def test_a_compressed_request_is_refused(house: House, coding: str) -> None:
    answer = house.post(zlib.compress(raw(OK)), headers=[("content-encoding", coding)])

    assert_refused(answer, 415, "invalid_request_error")


def test_a_body_of_exactly_32_megabytes_passes(house: House) -> None:
    fields = json.dumps(body()).encode()
    sent = fields[:-1] + b',"metadata":{"a":"' + b"x" * ((32 << 20) - len(fields) - 20) + b'"}}'
    sent += b" " * ((32 << 20) - len(sent))

    assert house.post(sent).status == 200


def test_a_body_over_32_megabytes_is_refused_whether_its_length_is_told_or_not(house: House) -> None:
    sent = house.message(b" " * ((32 << 20) + 1))
    told = house.ask(sent)
    chunked = house.ask(_chunked(house, total=(32 << 20) + 1))

    for answer in (told, chunked):
        assert_refused(answer, 413, "request_too_large")


def test_a_told_length_that_is_too_large_is_refused_before_the_body_comes(house: House) -> None:
    async def ask() -> Answer:
        connection = await Wire.connect(house.port)
        headers = [VERSION, JSON, ("x-api-key", house.key), ("content-length", str(10 << 30))]
        return await connection.ask(wire.request("POST", "/v1/messages", headers, length=False), within=5)

    assert_refused(asyncio.run(ask()), 413, "request_too_large")


def test_oversized_bodies_side_by_side_cost_little_memory(house: House) -> None:
    process = psutil.Process(house.gateway.pid)
    before = process.memory_info().rss

    answers = house.ask_all([_chunked(house, total=64 << 20)] * 4, at_once=4)

    assert [answer.status for answer in answers] == [413] * 4
    assert process.memory_info().rss - before < 4 * (64 << 20)


def test_nothing_that_is_refused_at_the_door_uses_up_a_limit(house: House) -> None:
    tenant = house.tenant(limits={"requests_per_minute": 3})
    before = len(house.upstream.log)
    refused = [
        house.post(b"{", key=tenant.key),
        house.post({"model": SCRIPTED, "messages": HELLO}, key=tenant.key),
        house.post(body("claude-from-nowhere"), key=tenant.key),
        house.post(body(), key=tenant.key, usual=[("anthropic-version", "1999-01-01"), JSON]),
        house.get("/v1/messages", key=tenant.key),
    ]

    good = [house.post(body(), key=tenant.key) for _ in range(3)]

    assert [answer.status for answer in refused] == [400, 400, 404, 400, 405]
    assert [answer.status for answer in good] == [200, 200, 200]
    assert len(house.upstream.log) == before + 3


def test_refusals_leave_the_connection_usable(house: House) -> None:
    async def ask() -> list[int]:
        connection = await Wire.connect(house.port)
        sent = [house.message(b"{"), house.message(body("claude-from-nowhere")), house.message(body())]
        return [(await connection.ask(one)).status for one in sent]

    assert asyncio.run(ask()) == [400, 404, 200]


def test_a_large_body_of_tiny_objects_does_not_hold_up_others(house: House) -> None:
    """600,000 objects: parsing must not stop the event loop."""
    objects = b",".join([b'{"a":{}}'] * 300_000)
    heavy = house.message(raw(OK)[:-1] + b',"metadata":[' + objects + b"]}")
    light = wire.request("HEAD", "/", [])

    async def ask() -> tuple[Answer, float]:
        work = asyncio.create_task(wire.ask(house.port, heavy))
        slowest = 0.0
        connection = await Wire.connect(house.port)
        while not work.done():
            answer = await connection.ask(light)
            slowest = max(slowest, answer.took)
            await asyncio.sleep(0.002)
        return await work, slowest

    answer, slowest = asyncio.run(ask())

    assert answer.status == 200
    assert slowest < 0.25, f"another request waited {slowest:.3f} s"


def assert_refused(answer: Answer, status: int, kind: str, message: str | None = None) -> None:
    """The whole envelope, with the request id of the header."""
    assert answer.status == status, answer.body[:500]
    given: dict[str, Any] = answer.json
    assert (answer.header("content-type") or "").startswith("application/json")
    assert given == {
        "type": "error",
        "error": {"type": kind, "message": message or given["error"]["message"]},
        "request_id": answer.header("request-id"),
    }
    assert given["error"]["message"] and given["request_id"].startswith("req_")


def _chunked(house: House, *, total: int) -> bytes:
    """A request whose length is told nowhere."""
    headers = [VERSION, JSON, ("x-api-key", house.key), ("transfer-encoding", "chunked")]
    piece = b"%x\r\n%b\r\n" % (1 << 20, b" " * (1 << 20))
    whole, rest = divmod(total, 1 << 20)
    end = b"%x\r\n%b\r\n" % (rest, b" " * rest) if rest else b""
    return wire.request("POST", "/v1/messages", headers, length=False) + piece * whole + end + b"0\r\n\r\n"
