"""A drain, a command or a file of the version before may go on writing beside the new columns."""

from __future__ import annotations

from decimal import Decimal

from tests.migrations.test_usage_costs import COSTS, _event, _insert, _price, _rollup, _select


def test_rows_of_a_program_that_knows_no_searches_are_right_without_them(db: None) -> None:
    costs = dict.fromkeys(COSTS, Decimal(0))
    _event(**costs)
    for table in ("usage_minute", "usage_hour", "usage_day"):
        _rollup(table, requests=1, **costs)
        assert _select(f"SELECT web_search_cost, unpriced_requests FROM {table}") == [(Decimal(0), 0)]
    assert _select("SELECT web_search_cost FROM usage_event") == [(Decimal(0),)]


def test_a_price_of_a_program_that_knows_five_classes_is_one_of_today(db: None) -> None:
    price = _insert("gateway_price", _price(), returning="id")

    columns = "batch_factor, web_search, long_context_threshold, long_context_input"
    assert _select(f"SELECT {columns} FROM gateway_price WHERE id = {price}") == [
        (Decimal("0.5"), Decimal(0), None, None)
    ]
