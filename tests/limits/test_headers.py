"""The tenant's limits as headers, by the names that OpenAI's clients read."""

from __future__ import annotations

import pytest

from gateway.limits import headers
from gateway.limits.admission import Admission, ScopeState
from gateway.principal import Scope


def state(*limits: int, remaining: tuple[int, int, int, int], kind: str = "organization") -> ScopeState:
    return ScopeState(Scope(kind, f"gw:limit:{kind}", (*limits, 0)), remaining, 0)


def admission(*states: ScopeState) -> Admission:
    return Admission("lease", (), 0, 0, 1_767_225_600_000, states)


def test_requests_and_tokens_are_told_from_the_tightest_scope() -> None:
    told = headers.openai(
        admission(
            state(100, 6_000, 500, 0, remaining=(60, 1_000, 400, 0)),
            state(50, 0, 0, 0, remaining=(49, 0, 0, 0), kind="workspace"),
        )
    )

    assert told == [
        (b"x-ratelimit-limit-requests", b"50"),
        (b"x-ratelimit-remaining-requests", b"49"),
        (b"x-ratelimit-reset-requests", b"2s"),
        (b"x-ratelimit-limit-tokens", b"6000"),
        (b"x-ratelimit-remaining-tokens", b"1000"),
        (b"x-ratelimit-reset-tokens", b"50s"),
    ]


def test_nothing_is_told_of_a_limit_that_is_not_set() -> None:
    assert headers.openai(admission(state(0, 0, 500, 500, remaining=(0, 0, 400, 400)))) == []


@pytest.mark.parametrize(
    ("size", "remaining", "reset"),
    [
        (10, 10, b"0s"),
        (1_000, 999, b"60ms"),
        (60, 59, b"1s"),
        (60, 1, b"59s"),
        (10, 0, b"1m0s"),
        (1, -5, b"6m0s"),
        (100_000, -6_200_001, b"1h3m1s"),
    ],
)
def test_a_reset_is_a_duration_until_the_limit_is_whole_again(
    size: int, remaining: int, reset: bytes
) -> None:
    told = dict(headers.openai(admission(state(size, 0, 0, 0, remaining=(remaining, 0, 0, 0)))))

    assert told[b"x-ratelimit-reset-requests"] == reset
    assert told[b"x-ratelimit-remaining-requests"] == b"%d" % max(0, remaining)
