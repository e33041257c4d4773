"""Sums of usage between any moments, told apart as a page wants: what pages, their files and forecasts show.

Read from the rollups, each stretch of time from the coarsest that has it, so that a month by days of UTC costs thirty
rows of each kind and a day that begins at half past six costs no more minutes than it has at its edges. What only
events know (the client, the session) is summed from the ledger itself, for spans of at most `LONGEST_OF_EVENTS`.
"""

from __future__ import annotations

import dataclasses
import datetime
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from django.db import connection

from admin_api.queries.dimensions import FILTERS, GROUPS, KEYS
from gateway.metering.reports import Width, cover
from gateway.metering.rollups import COSTS, DIMENSIONS, SUMS, TABLES, UNPRICED
from gateway.models import Organization

TOKENS = (
    "input_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cache_read_tokens",
    "output_tokens",
)
LONGEST_OF_EVENTS = datetime.timedelta(hours=25)  # a day that ends summer time
ROWS_AT_ONCE = 500

# What groups and filters, by its name in pages. Those of `_OF_EVENTS` are known to the ledger alone.
COLUMNS = {
    **{name: dimension.column for name, dimension in GROUPS.items()},
    "api_key_id": "total.api_key_id",  # pages name those of the Playground too
    "client": "total.user_agent",
    "session_id": "total.session_id",
}
_WANTED = {
    "api_key_id": FILTERS["api_key_ids"],
    "workspace_id": FILTERS["workspace_ids"],
    "model": FILTERS["models"],
    "service_tier": FILTERS["service_tiers"],
    "account_id": FILTERS["account_ids"],
    "client": COLUMNS["client"],
    "session_id": COLUMNS["session_id"],
}
_OF_EVENTS = frozenset({"client", "session_id"})
_ORDERS = {
    "tokens": " + ".join(f"sum(total.{name})" for name in TOKENS),
    "cache_writes": "sum(total.cache_write_5m_tokens) + sum(total.cache_write_1h_tokens)",
    **{name: f"sum(total.{name})" for name in SUMS},
}
# A row of the ledger as a rollup of itself alone.
_ALONE = {
    "requests": "1",
    "errors": "(status >= 400)::int",
    "time_to_first_token_ms": "coalesce(time_to_first_token_ms, 0)",
    "first_tokens": "(time_to_first_token_ms IS NOT NULL)::int",
    "unpriced_requests": f"({UNPRICED})::int",
}

Group = tuple[str | None, ...]


@dataclasses.dataclass(frozen=True, slots=True)
class Sum:
    """Sums of one group between the edges number `slot` and the one after; names are those of the rollups.

    `group` has a value for each name that was grouped by: empty where there is none, None for what is not among
    those that were asked for. `cost` and what it is made of are US dollars.
    """

    slot: int
    group: Group
    requests: int = 0
    errors: int = 0
    input_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_5m_tokens: int = 0
    cache_write_1h_tokens: int = 0
    output_tokens: int = 0
    web_search_requests: int = 0
    cost: Decimal = Decimal(0)
    input_cost: Decimal = Decimal(0)
    cache_read_cost: Decimal = Decimal(0)
    cache_write_5m_cost: Decimal = Decimal(0)
    cache_write_1h_cost: Decimal = Decimal(0)
    output_cost: Decimal = Decimal(0)
    web_search_cost: Decimal = Decimal(0)
    latency_ms: int = 0
    time_to_first_token_ms: int = 0
    first_tokens: int = 0
    unpriced_requests: int = 0

    @property
    def tokens(self) -> int:
        return sum(getattr(self, name) for name in TOKENS)

    @property
    def cache_writes(self) -> int:
        return self.cache_write_5m_tokens + self.cache_write_1h_tokens

    @property
    def token_cost(self) -> Decimal:
        """Without tools."""
        return self.cost - self.web_search_cost


@dataclasses.dataclass(frozen=True)
class Question:
    """`edges` are moments in order, at whole minutes: there is a slot from each to the next, half-open.

    `by` are names of `COLUMNS`; `wanted` has the values that count, by name, and `keys` the ids of keys where only
    theirs count. Of `measures`, names of the rollups, sums are made; the others are left at nothing, since each costs
    time where there are ten thousands of rows.
    """

    organization: Organization
    edges: Sequence[datetime.datetime]
    by: tuple[str, ...] = ()
    wanted: Mapping[str, Sequence[str]] = dataclasses.field(default_factory=dict)
    keys: Sequence[str] | None = None
    measures: tuple[str, ...] = tuple(SUMS)

    @property
    def of_events(self) -> bool:
        """Whether rollups cannot tell."""
        return not _OF_EVENTS.isdisjoint({*self.by, *self.wanted})

    def over(self, *edges: datetime.datetime) -> Question:
        """The same between other moments."""
        return dataclasses.replace(self, edges=edges)


def sums(asked: Question, *, among: Sequence[str] | None = None) -> list[Sum]:
    """By slot and group. With `among` only these values of the first name have groups of their own: others are None."""
    return [_sum(row, asked) for row in _rows(asked, among=among)]


def largest(asked: Question, order: str, most: int) -> list[Sum]:
    """The groups of the whole time that have the most of `order` (`tokens`, or a name of the rollups), most first."""
    return [_sum(row, asked) for row in _rows(_whole(asked), order=order, most=most)]


def total(asked: Question) -> Sum:
    """Everything in one."""
    return added(sums(dataclasses.replace(_whole(asked), by=())))


def stream(asked: Question) -> Iterator[Sum]:
    """As `sums`, taken while PostgreSQL still makes others: for files, which may be long."""
    statement, values = _statement(asked)
    with connection.cursor() as cursor, connection.wrap_database_errors:
        for row in cursor.stream(statement, values, size=ROWS_AT_ONCE):
            yield _sum(row, asked)


def added(parts: Iterable[Sum]) -> Sum:
    """Their sums; slot and group are those of nothing."""
    columns = zip(*(_measures(one) for one in parts), strict=True)
    return Sum(0, (), **{name: sum(column) for name, column in zip(SUMS, columns, strict=False)})


def _whole(asked: Question) -> Question:
    return asked.over(asked.edges[0], asked.edges[-1])


def _measures(one: Sum) -> tuple[Any, ...]:
    return tuple(getattr(one, name) for name in SUMS)


def _sum(row: Sequence[Any], asked: Question) -> Sum:
    slot, *rest = row
    groups = len(asked.by)
    values = dict(zip(asked.measures, rest[groups:], strict=True))
    return Sum(slot, tuple(rest[:groups]), **values)


def _rows(
    asked: Question, *, among: Sequence[str] | None = None, order: str = "", most: int = 0
) -> list[tuple[Any, ...]]:
    statement, values = _statement(asked, among=among, order=order, most=most)
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        found: list[tuple[Any, ...]] = cursor.fetchall()
    return found


def _statement(
    asked: Question, *, among: Sequence[str] | None = None, order: str = "", most: int = 0
) -> tuple[str, dict[str, object]]:
    """All names come from the constants above, all values are parameters."""
    source, values = _events(asked) if asked.of_events else _rollups(asked)
    groups = [f"coalesce({COLUMNS[name]}, '')" for name in asked.by]
    if among is not None:
        groups[0] = f"CASE WHEN {groups[0]} = ANY(%(among)s) THEN {groups[0]} END"
    wanted = [f"{_WANTED[name]} = ANY(%({name})s)" for name in asked.wanted]
    if asked.keys is not None:
        wanted.append("total.api_key_id = ANY(%(keys)s)")
    joined = KEYS if any("key." in part for part in (*groups, *wanted)) else ""
    places = ", ".join(str(place + 1) for place in range(len(groups) + 1))
    statement = (
        f"SELECT {', '.join(('slot', *groups, *map(_summed, asked.measures)))} FROM ({source}) AS total{joined}"
        f"{' WHERE ' if wanted else ''}{' AND '.join(wanted)} GROUP BY {places}"
        f" ORDER BY {f'{_ORDERS[order]} DESC, ' if order else ''}{places}{' LIMIT %(most)s' if most else ''}"
    )
    values |= {name: list(chosen) for name, chosen in asked.wanted.items()}
    return statement, values | {"among": list(among or ()), "keys": list(asked.keys or ()), "most": most}


def _summed(name: str) -> str:
    return f"sum(total.{name})" if name in ("cost", *COSTS) else f"sum(total.{name})::bigint"


def _rollups(asked: Question) -> tuple[str, dict[str, object]]:
    """Rows of rollups, each with its slot."""
    spans = _spans(asked.edges)
    values: dict[str, object] = {"organization_id": asked.organization.id, "edges": list(asked.edges)}
    for width, found in spans.items():
        values[f"first_{width}"] = [first for first, _ in found]
        values[f"last_{width}"] = [last for _, last in found]
    return " UNION ALL ".join(_part(width, len(found)) for width, found in spans.items()), values


def _part(width: Width, spans: int) -> str:
    """One span is compared with constants, which the planner can count with; of several, each is looked up by itself:
    left to choose, it would read all of the minutes for a few hours of them."""
    columns = f"part.organization_id, {', '.join(f'part.{name}' for name in (*DIMENSIONS, *SUMS))}"
    slot = "width_bucket(part.bucket, %(edges)s::timestamptz[]) - 1 AS slot"
    rows = f"FROM {TABLES[width]} AS part WHERE part.organization_id = %(organization_id)s"
    first, last = f"%(first_{width})s::timestamptz[]", f"%(last_{width})s::timestamptz[]"
    if spans == 1:
        return (
            f"SELECT {slot}, {columns} {rows} AND part.bucket >= ({first})[1] AND part.bucket < ({last})[1]"
        )
    return (
        f"SELECT part.* FROM unnest({first}, {last}) AS span (first, last) CROSS JOIN LATERAL"
        f" (SELECT {slot}, {columns} {rows} AND part.bucket >= span.first AND part.bucket < span.last OFFSET 0) AS part"
    )


def _spans(
    edges: Sequence[datetime.datetime],
) -> dict[Width, list[tuple[datetime.datetime, datetime.datetime]]]:
    """What to read of each rollup so that no bucket reaches over an edge; neighbours of one width are one span.

    An empty time reads an empty span.
    """
    found: dict[Width, list[tuple[datetime.datetime, datetime.datetime]]] = {}
    for start, end in itertools.pairwise(edges):
        for width, (first, last) in cover(start, end, tuple(reversed(Width))):
            spans = found.setdefault(width, [])
            if spans and spans[-1][1] == first:
                spans[-1] = (spans[-1][0], last)
            else:
                spans.append((first, last))
    return found or {Width.DAY: [(edges[0], edges[0])]}


def _events(asked: Question) -> tuple[str, dict[str, object]]:
    """Rows of the ledger in the shape of a rollup's. Raises `ValueError` for more than they may be asked for."""
    start, end = asked.edges[0], asked.edges[-1]
    if end - start > LONGEST_OF_EVENTS:
        raise ValueError(f"events are summed for {LONGEST_OF_EVENTS} at most")
    return _EVENTS, {
        "organization_id": asked.organization.id,
        "edges": list(asked.edges),
        "start": start,
        "end": end,
        "first_day": start.astimezone(datetime.UTC).date(),
        "last_day": end.astimezone(datetime.UTC).date(),
    }


_SHAPE = ", ".join(
    (
        *(f"{column} AS {name}" for name, column in DIMENSIONS.items()),
        *(f"{_ALONE.get(name, name)} AS {name}" for name in SUMS),
    )
)
_EVENTS = (
    "SELECT width_bucket(at, %(edges)s::timestamptz[]) - 1 AS slot, organization_id, user_agent, session_id,"
    f" {_SHAPE} FROM usage_event WHERE organization_id = %(organization_id)s AND at >= %(start)s AND at < %(end)s"
    " AND day BETWEEN %(first_day)s AND %(last_day)s"
)
