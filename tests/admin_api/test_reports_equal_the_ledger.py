"""For any usage, span, width, grouping and filter, the reports are the sums over the ledger's own rows."""

from __future__ import annotations

import datetime
import json
from collections import defaultdict
from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from gateway.metering.event import UsageEvent
from gateway.models import UsageEvent as LedgerEvent
from gateway.token_usage import TokenUsage
from tests.admin_api.report import COST, DAY, HOUR, MINUTE, TODAY, USAGE, Office, office
from tests.metering.ledger import Ledger
from tests.people import Cast

Row = dict[str, Any]

WIDTHS = {"1m": (MINUTE, 1440), "1h": (HOUR, 168), "1d": (DAY, 31)}
GROUPS = [
    *("api_key_id", "workspace_id", "model", "service_tier", "context_window", "inference_geo"),
    *("account_id", "service_account_id"),
]
TOKEN_TYPES = {
    "uncached_input_tokens": "input",
    "cache_read_input_tokens": "cache_read",
    "cache_creation.ephemeral_5m_input_tokens": "cache_write_5m",
    "cache_creation.ephemeral_1h_input_tokens": "cache_write_1h",
    "output_tokens": "output",
}
# Odd last places, which a float would lose, and a rounding would show where a batch halves them.
CROOKED = {
    "input": "3.0000000001",
    "output": "0.0000000007",
    "cache_read": "0.1",
    "cache_write_5m": "1e-10",
    "web_search": "9.9999999999",
}

moments = st.integers(-86_400_000, 86_400_000 - 1).map(
    lambda milliseconds: TODAY - DAY + datetime.timedelta(milliseconds=milliseconds)
)
spans = st.tuples(moments, moments).filter(lambda span: span[0] != span[1]).map(sorted)
counts = st.sampled_from([0, 0, 1, 7, 150_000])
usages = st.builds(TokenUsage, counts, counts, counts, counts, counts)

# Which of the office's names an event or a filter has; `None` leaves the filter out.
keys = st.integers(0, 2)
places = st.integers(0, 1)
models = st.sampled_from(["claude-sonnet-4-5", "gpt-ours"])
tiers = st.sampled_from(["standard", "batch"])
geos = st.sampled_from(["", "us", "not_available"])


@st.composite
def events(draw: st.DrawFn) -> dict[str, Any]:
    return {
        "at": draw(moments),
        "umbrella": draw(st.sampled_from([False, False, False, True])),
        "key": draw(keys),
        "place": draw(places),
        "price": draw(st.sampled_from([None, 0, 1])),
        "model": draw(models),
        "service_tier": draw(tiers),
        "inference_geo": draw(geos),
        "usage": draw(usages),
        "web_search_requests": draw(st.integers(0, 2)),
    }


filters = st.fixed_dictionaries(
    {},
    optional={
        "api_key_ids": st.lists(keys, min_size=1, max_size=2),
        "workspace_ids": st.lists(places, min_size=1, max_size=1),
        "models": st.lists(models, min_size=1, max_size=1),
        "service_tiers": st.lists(tiers, min_size=1, max_size=1),
        "context_window": st.just(["200k-1M"]),
        "inference_geos": st.sampled_from([["us"], ["not_available"]]),
        "account_ids": st.just(["dev"]),
        "service_account_ids": st.just(["robot"]),
    },
)


@pytest.fixture
def our(people: Cast, ledger: Ledger) -> Office:
    return office(people, ledger)


@settings(
    max_examples=30,
    deadline=None,
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(
    st.lists(events(), max_size=10),
    spans,
    st.sampled_from(list(WIDTHS)),
    st.lists(st.sampled_from(GROUPS), unique=True),
    filters,
    st.sets(st.sampled_from(["workspace_id", "description"])),
)
def test_reports_are_the_sums_of_the_ledger(
    our: Office,
    used: list[dict[str, Any]],
    span: list[datetime.datetime],
    width: str,
    group_by: list[str],
    chosen: dict[str, list[Any]],
    cost_by: set[str],
) -> None:
    our.ledger.empty()
    prices = [our.ledger.price(), our.ledger.price(**CROOKED)]
    our.ledger.record(*(event(our, one, prices) for one in used))
    start, end = span
    length, most = WIDTHS[width]
    rows = [row for row in ledger_rows(our) if floor(start, length) <= row["at"] < ceiling(end, length)]
    named = {name: named_values(our, name, values) for name, values in chosen.items()}

    usage = our.walk(
        USAGE, starting_at=start, ending_at=end, bucket_width=width, limit=most, group_by=group_by, **named
    )

    found = [row for row in rows if all(row[FILTERED[name]] in values for name, values in named.items())]
    assert [(bucket["starting_at"], bucket["ending_at"]) for bucket in usage] == buckets(start, end, length)
    assert in_buckets(usage) == summed(found, length, group_by, usage_result)

    days = [row for row in ledger_rows(our) if floor(start, DAY) <= row["at"] < ceiling(end, DAY)]
    cost = our.walk(COST, starting_at=start, ending_at=end, limit=31, group_by=sorted(cost_by))
    assert [(bucket["starting_at"], bucket["ending_at"]) for bucket in cost] == buckets(start, end, DAY)
    assert in_buckets(cost, without="description") == expected_cost(days, cost_by)


FILTERED = {
    "api_key_ids": "api_key_id",
    "workspace_ids": "workspace",
    "models": "model",
    "service_tiers": "service_tier",
    "context_window": "context_window",
    "inference_geos": "inference_geo",
    "account_ids": "account_id",
    "service_account_ids": "service_account_id",
}


def event(our: Office, one: dict[str, Any], prices: list[int]) -> UsageEvent:
    given = {name: one[name] for name in ("model", "service_tier", "inference_geo", "usage")}
    return our.event(
        one["at"],
        **given,
        organization_id=our.umbrella.id if one["umbrella"] else our.acme.id,
        api_key_id=key_ids(our)[one["key"]],
        workspace_id=workspace_ids(our)[one["place"]],
        web_search_requests=one["web_search_requests"],
        price_version=None if one["price"] is None else prices[one["price"]],
    )


def key_ids(our: Office) -> list[str]:
    return [our.of_dev.id, our.of_robot.id, our.of_nobody.id]


def workspace_ids(our: Office) -> list[str]:
    return [our.default.id, our.lab.id]


def named_values(our: Office, name: str, values: list[Any]) -> list[str]:
    match name:
        case "api_key_ids":
            return [key_ids(our)[n] for n in values]
        case "workspace_ids":
            return [workspace_ids(our)[n] for n in values]
        case "account_ids":
            return [our.account]
        case "service_account_ids":
            return [our.service_account]
    return values


def ledger_rows(our: Office) -> list[Row]:
    """Acme's events with the dimensions of reports beside their columns."""
    return [
        {
            **row,
            "workspace": row["workspace_id"],
            "workspace_id": None if row["workspace_id"] == our.default.id else row["workspace_id"],
            "context_window": "200k-1M" if _input(row) > 200_000 else "0-200k",
            "inference_geo": row["inference_geo"] or "not_available",
            "account_id": our.account if row["api_key_id"] == our.of_dev.id else None,
            "service_account_id": our.service_account if row["api_key_id"] == our.of_robot.id else None,
        }
        for row in LedgerEvent.objects.filter(organization_id=our.acme.id).values()
    ]


def _input(row: Row) -> int:
    return int(
        sum(row[f"{name}_tokens"] for name in ("input", "cache_read", "cache_write_5m", "cache_write_1h"))
    )


def usage_result(rows: list[Row]) -> Row | None:
    total = {name: sum(row[name] for row in rows) for name in SUMMED}
    if not any(total.values()):
        return None
    return {
        "uncached_input_tokens": total["input_tokens"],
        "cache_creation": {
            "ephemeral_5m_input_tokens": total["cache_write_5m_tokens"],
            "ephemeral_1h_input_tokens": total["cache_write_1h_tokens"],
        },
        "cache_read_input_tokens": total["cache_read_tokens"],
        "output_tokens": total["output_tokens"],
        "server_tool_use": {"web_search_requests": total["web_search_requests"]},
    }


SUMMED = [*(f"{name}_tokens" for name in TOKEN_TYPES.values()), "web_search_requests"]


def expected_cost(rows: list[Row], cost_by: set[str]) -> list[tuple[str, str]]:
    workspace = ["workspace_id"] if "workspace_id" in cost_by else []
    nothing = dict.fromkeys(["model", "service_tier", "context_window", "inference_geo", "workspace_id"])
    if "description" not in cost_by:

        def whole(rows: list[Row]) -> Row | None:
            used = sum(row[name] for row in rows for name in SUMMED)
            return charged(nothing, sum(row["cost"] for row in rows)) if used else None

        return summed(rows, DAY, workspace, whole, nothing)
    found = []
    for token_type, name in TOKEN_TYPES.items():

        def part(rows: list[Row], token_type: str = token_type, name: str = name) -> Row | None:
            if not any(row[f"{name}_tokens"] for row in rows):
                return None
            amount = sum(row[f"{name}_cost"] for row in rows)
            return charged(nothing, amount) | {"cost_type": "tokens", "token_type": token_type}

        dimensions = ["model", "service_tier", "context_window", "inference_geo", *workspace]
        found += summed(rows, DAY, dimensions, part, nothing)

    def searches(rows: list[Row]) -> Row | None:
        if not any(row["web_search_requests"] for row in rows):
            return None
        amount = sum(row["web_search_cost"] for row in rows)
        return charged(nothing, amount) | {"cost_type": "web_search"}

    return sorted(found + summed(rows, DAY, workspace, searches, nothing))


def charged(nothing: Row, dollars: Any) -> Row:
    cents = format((Decimal(dollars) * 100).normalize(), "f")
    return nothing | {"amount": cents, "currency": "USD", "cost_type": None, "token_type": None}


def summed(
    rows: Iterable[Row],
    length: datetime.timedelta,
    group_by: Iterable[str],
    result: Callable[[list[Row]], Row | None],
    nothing: Row | None = None,
) -> list[tuple[str, str]]:
    """(bucket, result), each as text, sorted."""
    group_by = list(group_by)
    nothing = dict.fromkeys(GROUPS) if nothing is None else nothing
    groups: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in rows:
        groups[(text(floor(row["at"], length)), *(row[name] for name in group_by))].append(row)
    found = []
    for (bucket, *values), members in groups.items():
        if (one := result(members)) is not None:
            whole = nothing | one | dict(zip(group_by, values, strict=True))
            found.append((bucket, json.dumps(whole, sort_keys=True)))
    return sorted(found)


def in_buckets(buckets: list[Row], without: str = "") -> list[tuple[str, str]]:
    return sorted(
        (
            bucket["starting_at"],
            json.dumps({k: v for k, v in result.items() if k != without}, sort_keys=True),
        )
        for bucket in buckets
        for result in bucket["results"]
    )


def buckets(
    start: datetime.datetime, end: datetime.datetime, length: datetime.timedelta
) -> list[tuple[str, str]]:
    first, last = floor(start, length), ceiling(end, length)
    starts = [first + n * length for n in range((last - first) // length)]
    return [(text(at), text(at + length)) for at in starts]


def floor(at: datetime.datetime, length: datetime.timedelta) -> datetime.datetime:
    return TODAY + (at - TODAY) // length * length


def ceiling(at: datetime.datetime, length: datetime.timedelta) -> datetime.datetime:
    return TODAY - (TODAY - at) // length * length


def text(at: datetime.datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")
