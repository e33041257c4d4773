"""What one holder allows in one pool."""

from __future__ import annotations

import pytest

from gateway.limit_pools import (
    BATCH,
    DEFAULT,
    RESERVED,
    TOKEN_COUNT,
    limits_of,
    merged,
    names_in,
    organization_limits_of,
)
from gateway.limiters import LIMIT_NAMES, LIMITERS

LIMITS = {"requests_per_minute": 50, "tokens_per_minute": 9000}


@pytest.mark.parametrize("pool", [DEFAULT, "large"])
def test_every_group_of_models_has_all_limits_for_itself(pool: str) -> None:
    assert limits_of(pool, LIMITS, {"other": {"requests_per_minute": 1}}) == LIMITS


def test_a_pool_replaces_single_limits_adds_others_and_lifts_what_is_null() -> None:
    own = {"large": {"requests_per_minute": 5, "tokens_per_minute": None, "tokens_per_day": 7}}

    assert limits_of("large", LIMITS, own) == {
        "requests_per_minute": 5,
        "tokens_per_minute": None,
        "tokens_per_day": 7,
    }


def test_counting_tokens_has_the_requests_of_limits_and_batches_have_nothing() -> None:
    assert limits_of(TOKEN_COUNT, LIMITS, {}) == {"requests_per_minute": 50}
    assert limits_of(BATCH, LIMITS, {}) == {}


@pytest.mark.parametrize("pool", sorted(RESERVED))
def test_what_is_said_of_a_pool_that_is_always_there_counts_as_well(pool: str) -> None:
    found = limits_of(pool, LIMITS, {pool: {"requests_per_minute": None, "concurrent_requests": 1}})

    assert (found["requests_per_minute"], found["concurrent_requests"]) == (None, 1)


def test_an_organizations_limits_of_a_pool_stand_over_its_tiers_one_by_one() -> None:
    tier = {"large": {"requests_per_minute": 5, "tokens_per_day": 7}, "small": {"requests_per_minute": 9}}
    own = {"large": {"requests_per_minute": None}, "batch": {"tokens_per_day": 1}}

    assert merged(tier, own) == {
        "large": {"requests_per_minute": None, "tokens_per_day": 7},
        "small": {"requests_per_minute": 9},
        "batch": {"tokens_per_day": 1},
    }


def test_a_tiers_limit_of_one_pool_is_not_raised_by_an_organizations_limit_of_all() -> None:
    """Who raises what an organization may do in general does not open up the one group that is kept small."""
    in_all = {**LIMITS, "requests_per_minute": 500}

    found = limits_of("large", in_all, merged({"large": {"requests_per_minute": 5}}, {}))

    assert found == {"requests_per_minute": 5, "tokens_per_minute": 9000}


def test_an_organization_of_which_nothing_is_said_may_have_fifty_items_of_batches_under_way() -> None:
    usual = {"concurrent_requests": 50, "enqueued_batch_requests": 100_000}

    assert organization_limits_of(BATCH, LIMITS, {}) == usual
    assert organization_limits_of(DEFAULT, LIMITS, {}) == LIMITS
    said = organization_limits_of(
        BATCH, {"enqueued_batch_requests": 7}, {BATCH: {"concurrent_requests": None}}
    )
    assert said == {"concurrent_requests": None, "enqueued_batch_requests": 7}


@pytest.mark.parametrize("pool", [DEFAULT, "large", TOKEN_COUNT])
def test_how_many_items_of_batches_may_wait_is_told_of_batches_alone(pool: str) -> None:
    assert limits_of(pool, {"enqueued_batch_requests": 7}, {}) == {}
    assert limits_of(BATCH, {"enqueued_batch_requests": 7}, {}) == {"enqueued_batch_requests": 7}


def test_every_limit_is_one_that_the_contract_knows_or_is_a_number_at_once() -> None:
    assert set(LIMIT_NAMES) == {
        "requests_per_minute",
        "tokens_per_minute",
        "input_tokens_per_minute",
        "input_tokens_per_minute_cache_aware",
        "output_tokens_per_minute",
        "tokens_per_day",
        "tool_uses_per_second",
        "fast_itpmca",
        "fast_otpm",
        "concurrent_requests",
        "enqueued_batch_requests",
    }
    assert len({limiter.field for limiter in LIMITERS}) == len(LIMITERS) == len(LIMIT_NAMES) - 2


def test_counting_tokens_is_limited_by_requests_alone() -> None:
    assert names_in(TOKEN_COUNT) == ("requests_per_minute", "concurrent_requests")
    assert "tokens_per_minute" in names_in("large")
