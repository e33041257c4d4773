"""Usage in a stream: told once and whole, wherever the provider tells it."""

from __future__ import annotations

import json

import pytest

from gateway.protocol.anthropic.fold import message_of
from tests import stream_grammar
from tests.protocol.openai.telling import (
    DONE,
    USAGE,
    Json,
    delta,
    finish,
    frame,
    message,
    text,
    translated,
    usage,
)


@pytest.mark.parametrize(
    "stream",
    [
        (usage(), text("a"), finish(), DONE),
        (text("a"), usage(), finish(), DONE),
        (text("a"), finish(), usage(), DONE),
        (text("a"), finish(), usage()),
        (text("a"), delta({}, usage=USAGE), finish(), DONE),
        (
            delta({"content": "a"}, usage={"prompt_tokens": 20, "completion_tokens": 1}),
            finish(),
            usage(),
            DONE,
        ),
        (text("a"), usage(), delta({}, usage=None), finish(), DONE),
        (delta({"content": "a"}, usage=None), finish(), frame({"usage": USAGE}), DONE),
    ],
    ids=["first", "before", "after", "at EOF", "with choices", "repeated", "then null", "no choices"],
)
def test_usage_is_told_once_and_whole_wherever_it_comes(stream: tuple[bytes, ...]) -> None:
    reader, events = translated(*stream)
    deltas = [event for event in stream_grammar.read(events) if event["type"] == "message_delta"]
    assert [event["usage"] for event in deltas] == [
        {
            "input_tokens": 20,
            "output_tokens": 7,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
        }
    ]
    assert not reader.estimated


def test_cached_and_reasoning_tokens_are_told_apart() -> None:
    told = {
        **USAGE,
        "prompt_tokens_details": {"cached_tokens": 15},
        "completion_tokens_details": {"reasoning_tokens": 3},
    }
    assert message(text("a"), finish(), usage(told), DONE)["usage"] == {
        "input_tokens": 5,
        "output_tokens": 7,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 15,
        "output_tokens_details": {"thinking_tokens": 3},
    }


def test_without_usage_an_estimate_is_told_and_marked() -> None:
    reader, _ = translated(text("a" * 9), finish(), DONE)
    assert (reader.usage.input_tokens, reader.usage.output_tokens, reader.estimated) == (12, 3, True)


@pytest.mark.parametrize(
    ("figures", "expected"),
    [
        ({}, (12, 3, True)),
        ({"prompt_tokens": 20}, (20, 3, True)),
        ({"completion_tokens": 7}, (12, 7, True)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, (12, 0, True)),
        ({"prompt_tokens": 20, "completion_tokens": 0}, (20, 0, False)),
        ({"prompt_tokens": -5, "completion_tokens": -1}, (12, 3, True)),
        ({"prompt_tokens": 9, "completion_tokens": 1, "prompt_cache_hit_tokens": 9}, (0, 1, False)),
    ],
)
def test_what_is_not_told_or_makes_no_sense_is_estimated_and_marked(
    figures: Json, expected: tuple[int, int, bool]
) -> None:
    reader, events = translated(text("a" * 9), finish(), frame({"choices": [], "usage": figures}), DONE)
    told = json.loads(message_of(events))["usage"]
    assert (told["input_tokens"], told["output_tokens"], reader.estimated) == expected
