"""Which row of what Claude models accept a name leads to."""

from __future__ import annotations

import pytest

from gateway.protocol.anthropic.families import OPEN, Family, Schemas, Thinking, family_of

NEW_EFFORTS = ("low", "medium", "high", "xhigh", "max")


@pytest.mark.parametrize(
    ("names", "thinking", "efforts", "sampling", "both_samplings", "schemas"),
    [
        (
            [
                "claude-2.1",
                "claude-instant-1.2",
                "claude-3-opus-20240229",
                "claude-3-5-sonnet-latest",
                "kimi-k2",
            ],
            Thinking.NONE,
            (),
            True,
            True,
            Schemas.WORDS,
        ),
        (
            [
                "claude-3-7-sonnet-20250219",
                "claude-sonnet-4-20250514",
                "claude-opus-4-0",
                "claude-opus-4@20250514",
            ],
            Thinking.BUDGET,
            (),
            True,
            True,
            Schemas.WORDS,
        ),
        (
            ["claude-opus-4-1-20250805", "claude-sonnet-4-5", "anthropic/claude-haiku-4.5"],
            Thinking.BUDGET,
            (),
            True,
            False,
            Schemas.LIMITED,
        ),
        (
            ["claude-opus-4-6", "us.anthropic.claude-sonnet-4-6-v1:0"],
            Thinking.ADAPTIVE,
            ("low", "medium", "high", "max"),
            True,
            False,
            Schemas.LIMITED,
        ),
        (
            ["claude-opus-4-7", "claude-opus-4-8", "claude-sonnet-5", "claude-haiku-5-5", "Claude-Opus-10"],
            Thinking.ADAPTIVE,
            NEW_EFFORTS,
            False,
            False,
            Schemas.LIMITED,
        ),
        (
            ["claude-fable-5", "claude-mythos-5-1", "claude-mythos-preview"],
            Thinking.ALWAYS,
            NEW_EFFORTS,
            False,
            False,
            Schemas.LIMITED,
        ),
    ],
)
def test_a_model_is_known_by_the_version_in_its_name(
    names: list[str],
    thinking: Thinking,
    efforts: tuple[str, ...],
    sampling: bool,
    both_samplings: bool,
    schemas: Schemas,
) -> None:
    expected = Family(
        sampling=sampling,
        both_samplings=both_samplings,
        efforts=efforts,
        thinking=thinking,
        hides_thinking=not sampling,
        schemas=schemas,
    )
    assert [family_of(name) for name in names] == [expected] * len(names)


def test_the_way_to_another_dialect_changes_nothing() -> None:
    assert (OPEN.sampling, OPEN.both_samplings, OPEN.hottest, OPEN.schemas) == (True, True, 2.0, Schemas.ANY)
    assert (OPEN.effort, OPEN.thinking) == (True, Thinking.NONE)
    assert not family_of("claude-sonnet-4-5").effort
