"""A chat completions request for a provider that speaks the same dialect."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.protocol.body import parse
from gateway.protocol.chat.request import chat_request
from gateway.protocol.chat.to_openai import relayed_request

HELLO = b'"messages":[{"role":"user","content":"\\u00e9 1.0e0"}]'

_words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=8)


def relayed(raw: bytes, **fields: Any) -> bytes:
    return relayed_request(chat_request(parse(raw)), model="real", **fields)


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        (b' {%b , "model" :\t"house"}\n' % HELLO, b' {%b , "model" :\t"real"}\n' % HELLO),
        (b'{"model":"real",%b}' % HELLO, b'{"model":"real",%b}' % HELLO),
        (
            b'{%b,"model":"house","stream":false,"stream_options":null}' % HELLO,
            b'{%b,"model":"real","stream":false,"stream_options":null}' % HELLO,
        ),
        (
            b'{"stream":true,"model":"house",%b}' % HELLO,
            b'{"stream_options":{"include_usage":true},"stream":true,"model":"real",%b}' % HELLO,
        ),
        (
            b'{"model":"house",%b,"stream_options":{"include_usage" : true},"stream":true}' % HELLO,
            b'{"model":"real",%b,"stream_options":{"include_usage" : true},"stream":true}' % HELLO,
        ),
        (
            b'{"model":"house",%b,"stream_options":{ "include_usage":false, "x": 1.0},"stream":true}' % HELLO,
            b'{"model":"real",%b,"stream_options":{"include_usage":true,"x":1.0},"stream":true}' % HELLO,
        ),
        (
            b'{"stream_options":null,"model":"house",%b,"stream":true}' % HELLO,
            b'{"stream_options":{"include_usage":true},"model":"real",%b,"stream":true}' % HELLO,
        ),
    ],
)
def test_only_the_model_and_the_wish_for_usage_change(raw: bytes, expected: bytes) -> None:
    assert relayed(raw) == expected


def test_a_provider_that_refuses_stream_options_gets_none() -> None:
    raw = b'{"stream":true,"model":"house",%b}' % HELLO
    assert relayed(raw, ask_usage=False) == raw.replace(b"house", b"real")


@settings(max_examples=50, deadline=None)
@given(
    st.dictionaries(_words, st.none() | st.integers() | st.lists(_words), max_size=5),
    st.booleans(),
    st.sampled_from([None, {}, {"include_usage": False}, {"include_usage": True}]),
)
def test_every_other_field_arrives(extra: dict[str, Any], stream: bool, options: Any) -> None:
    asked = extra | {"model": "house", "messages": [{"role": "user", "content": "Hello"}], "stream": stream}
    asked |= {
        "n": 1,
        "max_tokens": 5,
        "max_completion_tokens": 6,
        "functions": None,
        "stream_options": options,
    }
    sent = json.loads(relayed(json.dumps(asked).encode()))
    options = (options or {}) | {"include_usage": True} if stream else options
    assert sent == asked | {"model": "real", "stream_options": options}
