"""Large bodies are guarded slice by slice; where the slices fall must change nothing."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.errors import InvalidRequest
from gateway.protocol import body

PIECES = ["[", "]", "{", "}", '"', "\\", "\\\\", '\\"', "\\u0000", "\\\\u0000", ",", ":", "a", "é", "1", " "]


@settings(max_examples=700, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=40), st.integers(1, 7), st.booleans())
def test_where_a_slice_ends_changes_no_judgement(pieces: list[str], length: int, as_string: bool) -> None:
    text = "".join(pieces)
    value = f'"{text}","b":[[[]]]' if as_string else text
    raw = f'{{"a":{value}}}'.encode()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(body, "MAX_DEPTH", 3)
        whole = _judgement(raw)
        patch.setattr(body, "_SLICE", length)
        assert _judgement(raw) == whole


@pytest.mark.parametrize(("depth", "fine"), [(64, True), (65, False), (1_000_000, False)])
def test_the_limit_of_nesting_holds_across_slices(depth: int, fine: bool) -> None:
    nested = b"[" * (depth - 1) + b'"\\\\[\\"["' + b"]" * (depth - 1)
    raw = b'{"text":"%b","deep":%b}' % (b"[\\\\ " * 60_000, nested)

    assert (_judgement(raw) == "") == fine


@pytest.mark.parametrize(
    ("text", "fine"),
    [(b"\\u0000", False), (b"\\\\u0000", True), (b"\\\\\\u0000", False), (b"\\\\\\\\u0000", True)],
)
def test_an_escaped_backslash_before_u0000_is_no_nul(text: bytes, fine: bool) -> None:
    raw = b'{"a":"%b"}' % text

    assert (_judgement(raw) == "") == fine
    assert (_judgement(b'{"b":"\\\\u0000","a":"x%b"}' % text) == "") == fine


def _judgement(raw: bytes) -> str:
    try:
        body.parse(raw)
    except InvalidRequest as refusal:
        return refusal.message
    return ""
