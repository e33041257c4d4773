"""The price versions that a drain charges by."""

from __future__ import annotations

from collections.abc import Iterable

import psycopg
from psycopg.rows import dict_row

from gateway.price import Rates, rates_of


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
        with connection.cursor(row_factory=dict_row) as cursor:
            cursor.execute("SELECT * FROM gateway_price WHERE id = ANY(%s)", [unknown])
            self._rates.update((row["id"], rates_of(row)) for row in cursor)
