"""Rules about models: whatever a model is called, the same rule holds."""

from __future__ import annotations

import fnmatch
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.model_rules import patterns_of, rules_of
from gateway.principal import Workspace, denied_by
from tests.limits.pools import unlimited

NAMES = ("claude-opus-5", "opus", "anthropic/opus")


def workspace(*holders: tuple[str, list[str], list[str]]) -> Workspace:
    return unlimited("wrkspc_1", rules_of(*holders))


@pytest.mark.parametrize(
    ("allowed", "denied", "answer"),
    [
        ([], [], ""),
        (["claude-opus-5"], [], ""),
        (["opus"], [], ""),
        (["anthropic/*"], [], ""),
        (["*"], [], ""),
        (["claude-haiku-5", "gpt-*"], [], "organization"),
        (["Opus"], [], "organization"),
        (["opu"], [], "organization"),
        ([], ["opus"], "organization"),
        ([], ["claude-*"], "organization"),
        ([], ["gpt-5"], ""),
        (["claude-opus-5"], ["opus"], "organization"),
        (["opus"], ["*"], "organization"),
    ],
)
def test_a_model_is_meant_by_any_of_its_names_and_what_is_denied_is_denied(
    allowed: list[str], denied: list[str], answer: str
) -> None:
    assert denied_by(workspace(("organization", allowed, denied)), NAMES) == answer


@pytest.mark.parametrize(
    ("denying", "answer"),
    [
        (["organization", "workspace", "api_key"], "organization"),
        (["workspace", "api_key"], "workspace"),
        (["api_key"], "api_key"),
        ([], ""),
    ],
)
def test_all_three_must_allow_and_the_widest_that_does_not_is_named(denying: list[str], answer: str) -> None:
    holders = [
        (holder, ["claude-*"], ["opus"] if holder in denying else [])
        for holder in ("organization", "workspace", "api_key")
    ]

    assert denied_by(workspace(*holders), NAMES) == answer


def test_without_rules_nothing_is_kept_and_nothing_is_asked() -> None:
    free = workspace(("organization", [], []), ("workspace", [], []), ("api_key", [], []))

    assert free.rules == ()
    assert denied_by(free, NAMES) == ""


@pytest.mark.parametrize("name", ["claude-opus-5[1m]", "a?b", "[!x]", "a.b", "(a|b)", "a\\\\b", "x\n"])
def test_only_the_star_means_more_than_itself(name: str) -> None:
    assert patterns_of((name,)).cover([name])
    assert patterns_of((name + "*",)).cover([name + "-latest"])
    assert not patterns_of((name + "*",)).cover(["a1b", "x", "claude-opus-51", "axb", "a", "b"])


@given(
    patterns=st.lists(st.text("ab*", max_size=6), min_size=1, max_size=4),
    names=st.lists(st.text("ab", max_size=6), max_size=3),
)
def test_patterns_together_cover_what_one_of_them_matches(patterns: list[str], names: list[str]) -> None:
    matched = any(fnmatch.fnmatchcase(name, pattern) for name in names for pattern in patterns)

    assert patterns_of(tuple(patterns)).cover(names) == matched


def test_a_pattern_of_many_stars_takes_no_time() -> None:
    hostile = patterns_of(("*a" * 90 + "*b",))

    started = time.perf_counter()
    assert not hostile.cover(["a" * 200])
    assert time.perf_counter() - started < 0.1
