"""The tenant's limits as headers, by the names that OpenAI's clients read."""

from __future__ import annotations

import pytest

from gateway.limiters import Amounts
from gateway.limits import headers
from gateway.limits.admission import Admission, ScopeState
from gateway.scopes import Pool, Scope
from tests.limits.pools import ACME, scope


def state(
    *limits: int, remaining: tuple[int, int, int, int], kind: str = "organization"
) -> tuple[Scope, dict[int, int]]:
    """Limits and what remains of requests, tokens, input and output tokens."""
    requests, tokens, input_tokens, output_tokens = limits
    made = scope(
        kind=kind,
        requests=requests,
        tokens=tokens,
        input_tokens=input_tokens,
        output_tokens=output_tokens,
    )
    return made, dict(zip((0, 1, 2, 4), remaining, strict=True))


def admission(*states: tuple[Scope, dict[int, int]]) -> Admission:
    pool = Pool("default", ACME, tuple(made for made, _ in states))
    told = tuple(ScopeState(made, tuple(left[n] for n in pool.used), 0) for made, left in states)
    return Admission("lease", pool, Amounts(), (), 0, 1_767_225_600_000, told)


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
    assert headers.openai(admission(state(0, 0, 500, 0, remaining=(0, 0, 400, 0)))) == []


def test_tokens_are_those_of_input_and_output_where_they_have_no_limit_together() -> None:
    told = dict(headers.of(admission(state(0, 0, 500, 300, remaining=(0, 0, 400, -20)))))

    assert told[b"anthropic-ratelimit-tokens-limit"] == b"800"
    assert told[b"anthropic-ratelimit-tokens-remaining"] == b"400"
    assert told[b"anthropic-ratelimit-output-tokens-remaining"] == b"0"


def test_tokens_that_are_left_are_told_in_thousands_and_requests_exactly() -> None:
    told = dict(headers.of(admission(state(20_000, 20_000, 0, 0, remaining=(18_499, 18_499, 0, 0)))))

    assert told[b"anthropic-ratelimit-tokens-remaining"] == b"18000"
    assert told[b"anthropic-ratelimit-requests-remaining"] == b"18499"


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
