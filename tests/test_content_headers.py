"""Which headers are kept with contents, and what of them."""

from __future__ import annotations

import pytest

from gateway.contents.headers import REMOVED, decode, encode


def kept(name: str, value: str) -> str:
    ((told, text),) = decode(encode([(name.encode(), value.encode("latin-1"))], [])).asked
    assert told == name.lower()
    return text


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Authorization", "Bearer abc"),
        ("x-api-key", "abc"),
        ("x-goog-api-key", "abc"),
        ("apikey", "abc"),
        ("proxy-authorization", "abc"),
        ("cookie", "session=abc"),
        ("set-cookie", "session=abc"),
        ("x-amz-security-token", "abc"),
        ("x-client-secret", "abc"),
        ("x-hub-signature", "abc"),
        ("x-debug", "sent with sk-gw-api01-abc"),
        ("x-forwarded-auth", "Basic YWRhOnM="),
    ],
)
def test_what_opens_a_door_is_left_out(name: str, value: str) -> None:
    assert kept(name, value) == REMOVED


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("anthropic-ratelimit-tokens-limit", "4000"),
        ("anthropic-beta", "token-efficient-tools-2025-02-19"),
        ("idempotency-key", "b7e1"),
        ("user-agent", "Anthropic/Python 0.80"),
        ("x-name", "J\xfcrgen, task-force"),
    ],
)
def test_what_helps_to_understand_is_kept(name: str, value: str) -> None:
    assert kept(name, value) == value


def test_both_sides_are_kept_in_their_order() -> None:
    both = decode(encode([(b"b", b"1"), (b"a", b"2")], [(b"request-id", b"req_1"), (b"a", b"3")]))

    assert both.asked == [("b", "1"), ("a", "2")]
    assert both.answered == [("request-id", "req_1"), ("a", "3")]
