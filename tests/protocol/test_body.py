"""What is refused at the door, and that everything else passes untouched."""

from __future__ import annotations

import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.protocol.body import MAX_DEPTH, parse

BROKEN_ESCAPE = "The request body is not valid JSON: it holds a lone surrogate or another broken escape"


def refusal(raw: bytes) -> str:
    with pytest.raises(InvalidRequest) as caught:
        parse(raw)
    return caught.value.message


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "The request body is not valid JSON: it is empty"),
        (b"[]", "The request body must be a JSON object."),
        (b"null", "The request body must be a JSON object."),
        (b'{"a":NaN}', "The request body is not valid JSON: invalid character (byte 5)"),
        (b'{"a":-Infinity}', "The request body is not valid JSON: invalid character (byte 6)"),
        (b'{"a":1}{"b":2}', "The request body is not valid JSON: trailing characters (byte 8)"),
        (b'{"a":"\xff"}', "The request body is not valid UTF-8 (byte 6)."),
        ('{"a":1}'.encode("utf-16"), "The request body is not valid UTF-8 (byte 0)."),
        (b'\xef\xbb\xbf{"a":1}', "The request body is not valid JSON: invalid character (byte 0)"),
        (
            b'{"a":"\\udc00 and so on"}',
            BROKEN_ESCAPE,
        ),
        (
            b'{"a":"\\ud800 and so on"}',
            BROKEN_ESCAPE,
        ),
        (b'{"a":"\\u0000"}', "The request body holds a NUL character (\\u0000)."),
        (b'{"a":1,"a":1}', "a: repeated key"),
        (b'{"a":1,"b":2,"a":3}', "a: repeated key"),
        (b'{"a":1, "\\u0061" : 2}', "a: repeated key"),
        (b'{"a":{"x":1},"a":{"x":1}}', "a: repeated key"),
        (b'{"a\\":3}":1,"a\\":3}":1,"a\\\\":3}', 'a":3}: repeated key'),
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(raw: bytes, message: str) -> None:
    assert refusal(raw) == message


@pytest.mark.parametrize(
    "raw",
    [
        b"{}",
        b' {"a" : 1 , "b":[ 1,2 ] } \n',
        b'{"a":123456789012345678901234567890,"b":1e400,"c":-0.0}',
        b'{"a":{"x":1,"x":2}}',
        b'{"a":"\\ud83d\\ude00 \\\\ud800 \\\\u0000"}',
        '{"a":"\u2028 \u0085 \U0001f600"}'.encode(),
    ],
)
def test_what_every_parser_reads_alike_passes_untouched(raw: bytes) -> None:
    assert parse(raw).raw == raw


@pytest.mark.parametrize("brackets", [(b"[", b"]"), (b'{"x":', b"}"), (b'[{"]":', b"}]")])
def test_nesting_is_measured_exactly_and_without_recursion(brackets: tuple[bytes, bytes]) -> None:
    opening, closing = brackets
    levels = opening.count(b"[") + opening.count(b"{")
    fits = (MAX_DEPTH - 1) // levels
    parse(b'{"a":' + opening * fits + b"1" + closing * fits + b"}")
    deep = b'{"a":' + opening * (MAX_DEPTH // levels) + b"1" + closing * (MAX_DEPTH // levels) + b"}"
    assert refusal(deep) == "The request body is nested more than 64 levels deep."
    deeper = b'{"a":' + opening * 100_000
    assert refusal(deeper) == "The request body is nested more than 64 levels deep."


def test_brackets_inside_strings_are_no_nesting() -> None:
    parse(json.dumps({"a": '[{"' * 1000, "b": ['\\"[' * 500, "[" * 500]}).encode())


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
).filter(lambda value: "\0" not in json.dumps(value, ensure_ascii=False))


@given(
    before=st.dictionaries(st.text(max_size=8), values, max_size=4),
    after=st.dictionaries(st.text(max_size=8), values, max_size=4),
    model=st.text(min_size=1),
    new=st.text(min_size=1),
    indent=st.sampled_from([None, 0, 3]),
    ascii_only=st.booleans(),
)
def test_replacing_the_model_changes_nothing_else(
    before: dict[str, object],
    after: dict[str, object],
    model: str,
    new: str,
    indent: int | None,
    ascii_only: bool,
) -> None:
    fields = {**before, "model": model, **{name: value for name, value in after.items() if name != "model"}}
    raw = json.dumps(fields, indent=indent, ensure_ascii=ascii_only).encode()
    if b"\\u0000" in raw:
        return
    renamed = parse(raw).with_string("model", new)
    assert list(json.loads(renamed).items()) == list({**fields, "model": new}.items())
    same = _common(raw, renamed)
    rest = _common(raw[same:][::-1], renamed[same:][::-1])
    # What differs lies inside the old name's bytes: everything around it stayed as it was.
    assert len(raw) - same - rest <= len(json.dumps(model, ensure_ascii=ascii_only).encode())


def _common(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    return next((at for at, (a, b) in pairs if a != b), min(len(one), len(other)))


def test_a_nested_model_is_not_the_model() -> None:
    raw = b'{"tools":[{"model":"claude-a"}],"model":"claude-a","metadata":{"model":"claude-a"}}'
    assert parse(raw).with_string("model", "b") == (
        b'{"tools":[{"model":"claude-a"}],"model":"b","metadata":{"model":"claude-a"}}'
    )


def test_several_values_change_in_their_places_and_a_new_one_comes_first() -> None:
    raw = b' {"a" : 1 , "b":[ 2 ],"c":{"a":3}}\n'
    assert parse(raw).with_values({"c": b"4", "a": b'"x"'}) == b' {"a" : "x" , "b":[ 2 ],"c":4}\n'
    assert parse(raw).with_values({"d": b"true", "b": b"5"}) == b' {"d":true,"a" : 1 , "b":5,"c":{"a":3}}\n'
    assert parse(b"{}").with_values({"d": b"1", "e": b"2"}) == b'{"d":1,"e":2}'
    assert parse(raw).with_values({}) == raw


def test_a_large_body_is_guarded_in_short_steps() -> None:
    """600,000 objects in 8 MB: well under the 100 ms that the event loop may be held, per step of the thread."""
    raw = b'{"m":[' + b",".join([b'{"a":[1,{}]}'] * 600_000) + b"]}"
    started = time.process_time()
    parse(raw)
    assert time.process_time() - started < 1.0
