from __future__ import annotations

from gateway.limits.expectation import CAPACITY, Expectations


def test_a_large_max_tokens_reserves_what_the_key_usually_produces() -> None:
    expectations = Expectations()
    assert expectations.output_tokens("key", "model", 64_000) == 1_024
    for _ in range(20):
        expectations.learn("key", "model", uncached_input=100, cached_input=0, output=200, seconds=2)
    assert 200 <= expectations.output_tokens("key", "model", 64_000) <= 210
    assert expectations.output_tokens("key", "model", 50) == 50
    assert expectations.output_tokens("another key", "model", 64_000) == 1_024


def test_what_is_read_from_the_cache_lowers_the_estimate() -> None:
    expectations = Expectations()
    assert expectations.input_tokens("key", "model", 10_000) == 10_000
    for _ in range(20):
        expectations.learn("key", "model", uncached_input=100, cached_input=900, output=10, seconds=2)
    assert 999 <= expectations.input_tokens("key", "model", 10_000) <= 1_010


def test_habits_are_bounded() -> None:
    expectations = Expectations()
    for number in range(CAPACITY + 5):
        expectations.learn(f"key {number}", "model", uncached_input=1, cached_input=0, output=5, seconds=2)
    assert expectations.output_tokens("key 0", "model", 64_000) == 1_024
    assert expectations.output_tokens(f"key {CAPACITY}", "model", 64_000) < 20


def test_who_waits_for_a_place_is_told_how_long_such_requests_take() -> None:
    expectations = Expectations()
    assert expectations.seconds_left("key", "model", elapsed=0.2) == 1.0
    assert expectations.seconds_left("key", "model", elapsed=7.0) == 7.0  # nothing is known: as long again
    for _ in range(20):
        expectations.learn("key", "model", uncached_input=100, cached_input=0, output=200, seconds=10)
    assert 7.0 <= expectations.seconds_left("key", "model", elapsed=3.0) <= 8.0
    assert expectations.seconds_left("key", "model", elapsed=20.0) == 5.0  # longer than ever: it may go on
    assert expectations.seconds_left("key", "model", elapsed=4_000.0) == 60.0
