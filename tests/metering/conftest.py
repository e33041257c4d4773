"""A ledger of its own for each test: the drain commits, so that rolling back cannot clean up after it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import redis

from gateway.supervisor.postgres import Postgres
from gateway.supervisor.valkey import Valkey
from tests.metering.ledger import Ledger, empty_ledger


@pytest.fixture
def ledger(
    db: None,
    postgres_server: Postgres,
    valkey_server: Valkey,
    valkey: redis.Redis,
) -> Iterator[Ledger]:
    """An empty ledger with an empty stream before it; `gateway.metering.reports` reads it too."""
    with empty_ledger(postgres_server, valkey_server, valkey) as ledger:
        yield ledger
