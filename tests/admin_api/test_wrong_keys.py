"""Counting wrong keys, with Valkey and without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis
from pytest_django import Settings

from admin_api import wrong_keys
from tests.admin_api.door import stranger


@pytest.fixture
def no_valkey(settings: Settings) -> Iterator[None]:
    settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"redis_url": "unix:///nowhere.sock"})
    wrong_keys._client.cache_clear()
    yield
    wrong_keys._client.cache_clear()


def test_an_address_is_forgotten_after_a_minute(valkey: redis.Redis) -> None:
    address = stranger()

    assert [wrong_keys.count(address) for _ in range(3)] == [1, 2, 3]
    assert 59_000 < valkey.pttl(f"gw:guesses:{address}") <= 60_000  # type: ignore[operator]


def test_each_process_counts_alone_while_valkey_is_away(no_valkey: None) -> None:
    address = stranger()

    assert [wrong_keys.count(address) for _ in range(3)] == [1, 2, 3]
    assert wrong_keys.count(stranger()) == 1


def test_counting_alone_forgets_after_a_minute_too() -> None:
    address = stranger()

    counted = [wrong_keys._count_alone(address, now) for now in (0.0, 59.0, 60.0)]

    assert counted == [1, 2, 1]
