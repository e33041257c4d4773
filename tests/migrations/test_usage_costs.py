"""What each class of tokens cost is filled in for what was used before anybody asked."""

from __future__ import annotations

from decimal import Decimal

from django.db import connection
from psycopg import sql

from gateway.metering import partitions
from gateway.price import Rates, charges
from gateway.token_usage import TokenUsage
from tests.metering.ledger import ACME, attempt_at
from tests.metering.test_reports import MIDNIGHT
from tests.migrations.test_provider_keys import migrate

COSTS = ("input_cost", "cache_read_cost", "cache_write_5m_cost", "cache_write_1h_cost", "output_cost")
BEFORE, AFTER = "0006_admin_api", "0007_usage_costs"

RATES = Rates(0, *map(Decimal, ("3.0000000001", "15.0000000003", "0.3", "3.75", "6.0000000007")))
USAGE = TokenUsage(7, 11, 13, 17, 19)
KEY = {"organization_id": ACME, "workspace_id": "w", "api_key_id": "k", "model": "m", "provider": "p"}
SUMS = {
    f"{name}_tokens": getattr(USAGE, f"{name}_tokens")
    for name in ("input", "cache_read", "cache_write_5m", "cache_write_1h", "output")
}
MORE = {
    "latency_ms": 1,
    "web_search_requests": 0,
    "cost": Decimal("0.0000000000000001"),
}


def test_old_rows_get_the_cost_of_each_class_and_keep_their_total(db: None) -> None:
    with connection.cursor() as cursor:
        partitions.ensure(cursor, [MIDNIGHT.date()])
    migrate(BEFORE)
    price = _insert("gateway_price", _price(), returning="id")
    standard, batch = (charges(RATES, USAGE, tier).total for tier in ("standard", "batch"))
    _event(cost=standard, price_version=price, user_agent="claude-cli/2 (external, cli)", session_id="s1")
    _event(cost=batch, price_version=price, service_tier="batch")
    _event(cost=Decimal(0), price_version=None)
    for table in ("usage_minute", "usage_hour", "usage_day"):
        _rollup(table, cost=standard, requests=2)
        _rollup(table, cost=batch, requests=1, service_tier="batch")
        _rollup(table, cost=Decimal(5), requests=1, model="whose events are gone")

    migrate(AFTER)

    exact = charges(RATES, USAGE, "standard")
    parts = [exact.input, exact.cache_read, exact.cache_write_5m, exact.cache_write_1h, exact.output]
    for table in ("usage_event", "usage_minute", "usage_hour", "usage_day"):
        rows = _select(f"SELECT cost, {', '.join(COSTS)} FROM {table} ORDER BY cost")
        assert [row[0] for row in rows if row[0] not in (0, 5)] == [batch, standard]
        assert all(sum(row[1:]) == row[0] and min(row) >= 0 for row in rows)
        assert list(next(row for row in rows if row[0] == standard)[1:]) == parts
    assert _select("SELECT DISTINCT output_cost FROM usage_day WHERE model LIKE 'whose%'") == [(Decimal(5),)]
    assert _select("SELECT session_id, terminal, requests, output_tokens, cost FROM usage_session") == [
        ("s1", "cli", 1, 19, standard)
    ]


def _price() -> dict[str, object]:
    rates = {name: getattr(RATES, name) for name in ("input", "output", "cache_read")}
    cached = {name: getattr(RATES, name) for name in ("cache_write_5m", "cache_write_1h")}
    return {**rates, **cached, "model_name": "m", "effective_at": MIDNIGHT}


def _event(**changes: object) -> None:
    texts = ("endpoint", "model_requested", "upstream_model", "error_type", "stop_reason", "request_id")
    plain = dict.fromkeys((*texts, "usage_source", "inference_geo", "user_agent", "session_id"), "")
    when = {"day": MIDNIGHT.date(), "at": MIDNIGHT, "attempt_id": attempt_at(MIDNIGHT)}
    more = {"attempt": 1, "stream": True, "status": 200, "service_tier": "standard"}
    with connection.cursor() as cursor:
        partitions.ensure(cursor, [MIDNIGHT.date()])
    _insert("usage_event", {**KEY, **SUMS, **MORE, **plain, **when, **more, **changes})


def _rollup(table: str, **changes: object) -> None:
    where = {"bucket": MIDNIGHT, "context_window": "0-200k", "inference_geo": "", "service_tier": "standard"}
    more = dict.fromkeys(("errors", "time_to_first_token_ms", "first_tokens"), 0)
    _insert(table, {**KEY, **SUMS, **MORE, **where, **more, **changes})


def _insert(table: str, row: dict[str, object], returning: str = "organization_id") -> object:
    names = sql.SQL(", ").join(map(sql.Identifier, row))
    values = sql.SQL(", ").join([sql.Placeholder()] * len(row))
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("INSERT INTO {} ({}) VALUES ({}) RETURNING {}").format(
                sql.Identifier(table), names, values, sql.Identifier(returning)
            ),
            list(row.values()),
        )
        ((found,),) = cursor.fetchall()
    return found


def _select(query: str) -> list[tuple[object, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(query)
        rows: list[tuple[object, ...]] = cursor.fetchall()
    return rows
