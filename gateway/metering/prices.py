"""The price versions that a drain charges by."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
from psycopg.rows import class_row

from gateway.price import Rates


class PriceBook:
    """The price versions a drain has met, by id. They never change, so they are read once."""

    def __init__(self) -> None:
        self._rates: dict[int, Rates] = {}

    def __getitem__(self, version: int) -> Rates:
        """Raises `KeyError` for a version that does not exist."""
        return self._rates[version]

    def knows(self, versions: Iterable[int]) -> bool:
        return self._rates.keys() >= set(versions)

    def learn(self, connection: psycopg.Connection, versions: Iterable[int]) -> None:
        """Read those versions that are not known yet, in one query."""
        unknown = sorted(set(versions) - self._rates.keys())
        with connection.cursor(row_factory=class_row(Rates)) as cursor:
            cursor.execute(
                "SELECT id, input, output, cache_read, cache_write_5m, cache_write_1h"
                " FROM gateway_price WHERE id = ANY(%s)",
                [unknown],
            )
            self._rates.update((rates.id, rates) for rates in cursor)
