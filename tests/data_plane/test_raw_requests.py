"""Requests that two servers might read differently: refused, or read in the one right way."""

from __future__ import annotations

import asyncio
import json

import pytest

from tests.data_plane import wire
from tests.data_plane.house import House, body
from tests.data_plane.wire import Answer, Wire

BODY = json.dumps(body()).encode()
LENGTH = f"Content-Length: {len(BODY)}"
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(BODY), BODY)

AMBIGUOUS: dict[str, tuple[list[str], bytes]] = {
    "length and chunked": ([LENGTH, "Transfer-Encoding: chunked"], CHUNKED),
    "chunked and length": (["Transfer-Encoding: chunked", "Content-Length: 5"], CHUNKED),
    "two lengths": ([LENGTH, "Content-Length: 5"], BODY),
    "a list of lengths": ([f"{LENGTH}, 5"], BODY),
    "a signed length": ([f"Content-Length: +{len(BODY)}"], BODY),
    "a negative length": (["Content-Length: -1"], BODY),
    "a word as length": (["Content-Length: many"], BODY),
    "chunked twice": (["Transfer-Encoding: chunked", "Transfer-Encoding: chunked"], CHUNKED),
    "an unknown transfer coding": (["Transfer-Encoding: gzip"], BODY),
    "a name with a space": ([LENGTH, "Transfer-Encoding : chunked"], BODY),
    "two hosts": ([LENGTH, "Host: evil.example"], BODY),
    "a bad chunk size": (["Transfer-Encoding: chunked"], b"zz\r\n" + BODY + b"\r\n0\r\n\r\n"),
}


@pytest.mark.parametrize("case", AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_an_ambiguous_request_reaches_no_provider(house: House, case: tuple[list[str], bytes]) -> None:
    lines, sent = case
    before = len(house.upstream.log)

    answer = _ask(house, [*_usual(house), *lines], sent)

    assert answer is None or 400 <= answer.status < 500, answer
    assert len(house.upstream.log) == before


def test_an_underscore_does_not_make_a_header(house: House) -> None:
    usual = [line for line in _usual(house) if not line.startswith("x-api-key")]

    answer = _ask(house, [*usual, LENGTH, f"X_Api_Key: {house.key}"], BODY)

    assert answer is not None and answer.status == 401


def test_a_method_is_never_overridden(house: House) -> None:
    headers = [
        ("x-api-key", house.key),
        ("X-HTTP-Method-Override", "POST"),
        ("content-type", "application/json"),
    ]

    assert house.ask(wire.request("GET", "/v1/messages?_method=POST", headers)).status == 405


@pytest.mark.parametrize(
    "path", ["/v1/messages/../models", "/v1/./messages", "/v1/messages;a=b", "/v1/messages%2f"]
)
def test_a_path_is_read_as_it_stands(house: House, path: str) -> None:
    before = len(house.upstream.log)

    answer = house.ask(house.message(body(), path=path))

    assert answer.status == 404
    assert len(house.upstream.log) == before


def test_two_requests_in_one_packet_get_their_answers_in_order(house: House) -> None:
    first = house.message(body("claude-from-nowhere"))
    second = house.message(body())

    async def ask() -> list[int]:
        connection = await Wire.connect(house.port)
        await connection.send(first + second)
        return [(await connection.read()).status for _ in range(2)]

    assert asyncio.run(ask()) == [404, 200]


def _usual(house: House) -> list[str]:
    return [
        "Host: 127.0.0.1",
        "anthropic-version: 2023-06-01",
        "content-type: application/json",
        f"x-api-key: {house.key}",
    ]


def _ask(house: House, lines: list[str], sent: bytes) -> Answer | None:
    """The answer, or None when the connection was closed without one."""
    raw = "\r\n".join(["POST /v1/messages HTTP/1.1", *lines, "", ""]).encode() + sent
    try:
        return house.ask(raw, within=5)
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
