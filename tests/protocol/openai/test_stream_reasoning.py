"""Reasoning in a stream becomes thinking that nobody signed."""

from __future__ import annotations

import json

import pytest

from gateway.protocol.anthropic.fold import message_of
from tests.protocol.openai.telling import DONE, content, delta, finish, text, translated


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning"])
def test_reasoning_becomes_a_thinking_block_that_nobody_signed(field: str) -> None:
    assert content(delta({field: "let me "}), delta({field: "see"}), text("42")) == [
        {"type": "thinking", "thinking": "let me see", "signature": ""},
        {"type": "text", "text": "42"},
    ]


def test_reasoning_told_under_both_names_is_taken_once() -> None:
    both = delta({"reasoning": "hm", "reasoning_content": "hm", "reasoning_details": [{"text": "hm"}]})
    reader, events = translated(both, text("a"), finish(), DONE)
    assert json.loads(message_of(events))["content"][0]["thinking"] == "hm"
    assert reader.unknown == []


def test_no_signature_is_ever_sent() -> None:
    _, events = translated(delta({"reasoning": "hm"}), text("a"), finish(), DONE)
    assert b"signature_delta" not in events


def test_reasoning_after_text_opens_a_second_thinking_block() -> None:
    blocks = content(delta({"reasoning": "a"}), text("b"), delta({"reasoning": "c"}), text("d"))
    assert [block["type"] for block in blocks] == ["thinking", "text", "thinking", "text"]


def test_content_in_parts_is_told_as_thinking_and_text() -> None:
    parts = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]},
        {"type": "text", "text": "a"},
    ]
    reader, events = translated(delta({"content": [*parts, {"type": "smell"}]}), finish(), DONE)
    blocks = json.loads(message_of(events))["content"]
    assert [block["type"] for block in blocks] == ["thinking", "text"]
    assert reader.unknown == [("content part", "smell")]
