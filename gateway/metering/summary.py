"""A table of sums over the ledger: its statements, made from what its columns are of a ledger row.

All are in the order of the key, the same in every process, so that two that meet in the same rows never
deadlock; and all raise by a difference instead of setting a value, so that nobody's part is lost whoever comes
between.
"""

from __future__ import annotations

import dataclasses
import datetime
import uuid
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cached_property
from typing import Any

import psycopg
from psycopg import sql

NONE = "[]"

_FROM_JSON = "json_populate_recordset(NULL::usage_event, %s::json)"
_OF_ORGANIZATION = "(%(organization)s::uuid IS NULL OR organization_id = %(organization)s)"


@dataclasses.dataclass(frozen=True)
class Span:
    """A UTC day, of one organization or of all."""

    day: datetime.date
    organization: uuid.UUID | None = None

    @property
    def parameters(self) -> dict[str, object]:
        midnight = datetime.datetime.combine(self.day, datetime.time(), datetime.UTC)
        return {
            "day": self.day,
            "first": midnight,
            "last": midnight + datetime.timedelta(days=1),
            "organization": self.organization,
        }


@dataclasses.dataclass(frozen=True)
class Difference:
    """A line of `table` that is not what the ledger says: by how much each of its sums would have to be raised."""

    table: str
    key: dict[str, Any]
    missing: dict[str, int | Decimal]


class Summary:
    """`key` and `sums` tell each column as an expression over `usage_event`; `counted` which rows count."""

    def __init__(
        self, table: str, key: Mapping[str, str], sums: Mapping[str, str], counted: str = "true"
    ) -> None:
        self.table = table
        self.key = key
        self.sums = sums
        self.counted = counted
        self.moment = "bucket" if "bucket" in key else "day"

    def add(self, cursor: psycopg.Cursor, rows: str, replaced: str = NONE) -> None:
        """Count `rows`, JSON arrays of ledger rows as all here are, and no longer those that they `replaced`."""
        if replaced == NONE:
            cursor.execute(self._raise, [rows])
            return
        cursor.execute(self._correct, [rows, replaced])
        cursor.execute(self._forget, [replaced])

    def differences(self, cursor: psycopg.Cursor, span: Span) -> Iterator[Difference]:
        """Where the sums are not those of the ledger. One statement sees one moment: drains may write beside it."""
        cursor.execute(sql.SQL(self._missing), span.parameters, prepare=False)
        for line in cursor:
            key = dict(zip(self.key, line, strict=False))
            sums = dict(zip(self.sums, line[len(key) :], strict=True))
            yield Difference(self.table, key, {name: value for name, value in sums.items() if value})

    def rebuild(self, cursor: psycopg.Cursor, span: Span) -> int:
        """Raise by what is missing, as of one moment, the sums as they then are; returns how many lines that were.

        What drains raise meanwhile is in neither side of the difference, and so is kept. Two rebuilds of one day
        would both see the same difference: the caller lets only one of them be.
        """
        cursor.execute(self._upsert(self._missing), span.parameters, prepare=False)
        raised = cursor.rowcount
        forget = f"DELETE FROM {self.table} WHERE {self._zero} AND {self._within}"
        cursor.execute(sql.SQL(forget), span.parameters, prepare=False)
        return raised

    @cached_property
    def _missing(self) -> str:
        events = self._summed("usage_event", which=f"usage_event.day = %(day)s AND {_OF_ORGANIZATION}")
        held = ", ".join((*self.key, *(f"-{name}" for name in self.sums)))
        return self._difference(events, f"SELECT {held} FROM {self.table} WHERE {self._within}")

    @property
    def _within(self) -> str:
        of_day = "day = %(day)s" if self.moment == "day" else "bucket >= %(first)s AND bucket < %(last)s"
        return f"{of_day} AND {_OF_ORGANIZATION} AND organization_id IN ({self._holders})"

    @property
    def _holders(self) -> str:
        """Everybody who has a line here, found in as many steps as they are: every key begins with them, so that a
        day is then a few lines of each instead of a walk through all days."""
        next_one = f"SELECT organization_id FROM {self.table}{{after}} ORDER BY organization_id LIMIT 1"
        after = next_one.format(after=" WHERE organization_id > holder.organization_id")
        return (
            f"WITH RECURSIVE holder AS (({next_one.format(after='')})"
            f" UNION ALL SELECT ({after}) FROM holder WHERE holder.organization_id IS NOT NULL)"
            " SELECT organization_id FROM holder"
        )

    @cached_property
    def _raise(self) -> sql.SQL:
        return self._upsert(f"{self._summed(_FROM_JSON)} ORDER BY {self._places}")

    @cached_property
    def _correct(self) -> sql.SQL:
        return self._upsert(
            self._difference(self._summed(_FROM_JSON), self._summed(_FROM_JSON, sign="-")),
        )

    @cached_property
    def _forget(self) -> sql.SQL:
        """A sum that lost its last row goes too, as if that row had never been counted there."""
        found = f"SELECT {self.key['organization_id']}, {self.key[self.moment]} FROM {_FROM_JSON}"
        return sql.SQL(
            f"DELETE FROM {self.table} WHERE {self._zero} AND (organization_id, {self.moment}) IN ({found})"
        )

    @cached_property
    def _zero(self) -> str:
        return " AND ".join(f"{name} = 0" for name in self.sums)

    def _upsert(self, selected: str) -> sql.SQL:
        raised = ", ".join(f"{name} = total.{name} + excluded.{name}" for name in self.sums)
        return sql.SQL(
            f"INSERT INTO {self.table} AS total ({', '.join((*self.key, *self.sums))}) {selected}"
            f" ON CONFLICT ({', '.join(self.key)}) DO UPDATE SET {raised}"
        )

    def _summed(self, rows: str, *, sign: str = "", which: str = "true") -> str:
        """The sums over ledger rows, one line for each key."""
        key = [f"{expression} AS {name}" for name, expression in self.key.items()]
        sums = [f"{sign}({expression}) AS {name}" for name, expression in self.sums.items()]
        return f"SELECT {', '.join((*key, *sums))} FROM {rows} WHERE {which} AND {self.counted} GROUP BY {self._places}"

    def _difference(self, more: str, less: str) -> str:
        """What two lists of sums, the second with its sign turned, come to where they are not equal."""
        key = ", ".join(self.key)
        sums = ", ".join(f"sum({name}) AS {name}" for name in self.sums)
        unequal = " OR ".join(f"sum({name}) <> 0" for name in self.sums)
        return (
            f"SELECT {key}, {sums} FROM ({more} UNION ALL {less}) AS parts"
            f" GROUP BY {key} HAVING {unequal} ORDER BY {key}"
        )

    @cached_property
    def _places(self) -> str:
        return ", ".join(str(n + 1) for n in range(len(self.key)))
