"""What the gateway checks of a chat completions request before it looks for a provider."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import InvalidRequest
from gateway.protocol.body import parse
from gateway.protocol.chat.request import chat_request

HELLO = [{"role": "user", "content": "Hello"}]


def told(**fields: Any) -> tuple[Any, ...]:
    request = chat_request(parse(json.dumps({"model": "house", "messages": HELLO} | fields).encode()))
    return request.max_tokens, request.stream, request.include_usage, request.functions


def test_a_plain_request_leaves_length_and_stream_open() -> None:
    body = parse(json.dumps({"model": "house", "messages": HELLO}).encode())
    request = chat_request(body)
    assert (request.body, request.model) == (body, "house")
    assert told() == (None, False, False, False)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"max_tokens": 5}, (5, False, False, False)),
        ({"max_completion_tokens": 7, "max_tokens": 5}, (7, False, False, False)),
        ({"max_completion_tokens": None, "max_tokens": 5}, (5, False, False, False)),
        ({"stream": True}, (None, True, False, False)),
        ({"stream": True, "stream_options": {"include_usage": True}}, (None, True, True, False)),
        ({"stream": True, "stream_options": {"include_usage": None}}, (None, True, False, False)),
        ({"stream_options": {"include_usage": True}}, (None, False, False, False)),
        ({"stream": None, "stream_options": None, "n": None, "functions": None}, (None, False, False, False)),
        ({"n": 1, "functions": [{"name": "read"}]}, (None, False, False, True)),
    ],
)
def test_what_is_told_counts_and_null_is_as_good_as_absent(
    fields: dict[str, Any], expected: tuple[Any, ...]
) -> None:
    assert told(**fields) == expected


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"messages": HELLO}, "model: Field required"),
        ({"model": 5, "messages": HELLO}, "model: Expected `str`, got `int`"),
        ({"model": "", "messages": HELLO}, "model: String should have 1 to 256 characters"),
        ({"model": "m" * 257, "messages": HELLO}, "model: String should have 1 to 256 characters"),
        ({"model": "m"}, "messages: Field required"),
        ({"model": "m", "messages": "Hello"}, "messages: Expected `array`, got `str`"),
        ({"model": "m", "messages": []}, "messages: at least one message is required"),
        ({"model": "m", "messages": [*HELLO, "x"]}, "messages.1: Input should be an object"),
        ({"model": "m", "messages": HELLO, "stream": "yes"}, "stream: Expected `bool | null`, got `str`"),
        (
            {"model": "m", "messages": HELLO, "n": 2},
            "n: only one choice is given per request, Input should be 1",
        ),
        (
            {"model": "m", "messages": HELLO, "max_completion_tokens": 0, "max_tokens": 5},
            "max_completion_tokens: Input should be greater than or equal to 1",
        ),
        (
            {"model": "m", "messages": HELLO, "stream_options": {"include_usage": 1}},
            "stream_options.include_usage: Expected `bool | null`, got `int`",
        ),
    ],
)
def test_the_first_wrong_field_is_named(body: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        chat_request(parse(json.dumps(body).encode()))
    assert caught.value.message == message
