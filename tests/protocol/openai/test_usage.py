"""Usage and finish reasons of chat completions in Anthropic's words."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.protocol.anthropic.usage import OutputTokensDetails, Usage
from gateway.protocol.openai.usage import OpenAIUsage, anthropic_usage, stop_reason


def usage(**fields: object) -> OpenAIUsage:
    return msgspec.convert(fields, OpenAIUsage)


def test_cached_tokens_are_taken_out_of_the_input() -> None:
    told = usage(
        prompt_tokens=100,
        completion_tokens=30,
        total_tokens=130,
        prompt_tokens_details={"cached_tokens": 60, "cache_write_tokens": 10},
        completion_tokens_details={"reasoning_tokens": 12},
    )
    assert anthropic_usage(told) == Usage(
        input_tokens=30,
        output_tokens=30,
        cache_creation_input_tokens=10,
        cache_read_input_tokens=60,
        output_tokens_details=OutputTokensDetails(12),
    )


@pytest.mark.parametrize("name", ["prompt_cache_hit_tokens", "cached_tokens"])
def test_cached_tokens_are_read_under_the_names_of_deepseek_and_moonshot(name: str) -> None:
    told = anthropic_usage(usage(prompt_tokens=100, completion_tokens=1, **{name: 64}))
    assert (told.input_tokens, told.cache_read_input_tokens) == (36, 64)


def test_cache_writes_that_only_the_total_counts_stay_out_of_the_input() -> None:
    told = usage(
        prompt_tokens=10,
        completion_tokens=5,
        total_tokens=115,
        prompt_tokens_details={"cache_write_tokens": 100},
    )
    seen = anthropic_usage(told)
    assert (seen.input_tokens, seen.cache_creation_input_tokens, seen.output_tokens) == (10, 100, 5)


@pytest.mark.parametrize("details", [None, {"reasoning_tokens": 40}])
def test_reasoning_that_only_the_total_counts_is_output(details: dict[str, int] | None) -> None:
    told = usage(prompt_tokens=10, completion_tokens=5, total_tokens=55, completion_tokens_details=details)
    assert anthropic_usage(told).output_tokens == 45


def test_a_side_that_was_not_told_is_not_taken_for_zero() -> None:
    assert (
        anthropic_usage(usage(completion_tokens=5)).input_tokens,
        anthropic_usage(usage()).output_tokens,
    ) == (
        None,
        None,
    )


def test_figures_may_be_floats_but_not_beyond_counting() -> None:
    told = anthropic_usage(usage(prompt_tokens=12.0, completion_tokens=10**30))
    assert (told.input_tokens, told.output_tokens) == (12, None)


def test_null_details_are_no_details() -> None:
    told = usage(
        prompt_tokens=1, completion_tokens=2, prompt_tokens_details=None, completion_tokens_details=None
    )
    assert anthropic_usage(told) == Usage(
        input_tokens=1, output_tokens=2, cache_creation_input_tokens=0, cache_read_input_tokens=0
    )


_tokens = st.none() | st.integers(-(10**9), 10**9)


@given(_tokens, _tokens, _tokens, _tokens, _tokens, _tokens)
def test_no_count_is_ever_negative(prompt, completion, total, cached, written, reasoning) -> None:  # type: ignore[no-untyped-def]
    told = usage(
        prompt_tokens=prompt,
        completion_tokens=completion,
        total_tokens=total,
        prompt_tokens_details={"cached_tokens": cached, "cache_write_tokens": written},
        completion_tokens_details={"reasoning_tokens": reasoning},
    )
    seen = anthropic_usage(told)
    counts = (
        seen.input_tokens,
        seen.output_tokens,
        seen.cache_creation_input_tokens,
        seen.cache_read_input_tokens,
    )
    assert all(count is None or count >= 0 for count in counts)


@pytest.mark.parametrize(
    ("finish_reason", "has_tool_calls", "refused", "expected"),
    [
        ("stop", False, False, ("end_turn", True)),
        ("stop", True, False, ("tool_use", True)),
        ("tool_calls", True, False, ("tool_use", True)),
        ("tool_calls", False, False, ("end_turn", True)),
        ("function_call", True, False, ("tool_use", True)),
        ("length", True, False, ("max_tokens", True)),
        ("content_filter", True, False, ("refusal", True)),
        ("stop", False, True, ("refusal", True)),
        (None, False, False, ("end_turn", True)),
        (None, True, False, ("tool_use", True)),
        ("eos_token", False, False, ("end_turn", False)),
        ("eos_token", True, False, ("tool_use", False)),
    ],
)
def test_what_the_message_holds_decides_before_the_finish_reason(
    finish_reason: str | None, has_tool_calls: bool, refused: bool, expected: tuple[str, bool]
) -> None:
    assert stop_reason(finish_reason, has_tool_calls=has_tool_calls, refused=refused) == expected
