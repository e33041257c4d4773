"""`usage_report/messages`: what it shows, how time is cut, and what it refuses. Sums are in the property test."""

from __future__ import annotations

import datetime
from typing import Any

import anthropic
import pytest
from pytest_django import DjangoAssertNumQueries

from gateway.token_usage import TokenUsage
from tests.admin_api.door import Door, admin_key
from tests.admin_api.report import COST, DAY, HOUR, MINUTE, MONDAY, TODAY, USAGE, Office, office, results
from tests.metering.ledger import Ledger
from tests.people import Cast

NOTHING = {
    "api_key_id": None,
    "workspace_id": None,
    "model": None,
    "service_tier": None,
    "context_window": None,
    "inference_geo": None,
    "account_id": None,
    "service_account_id": None,
}


@pytest.fixture
def our(people: Cast, ledger: Ledger) -> Office:
    return office(people, ledger)


def test_without_grouping_a_bucket_has_one_result_and_every_dimension_is_null(our: Office) -> None:
    usage = TokenUsage(1, 20, 300, 4000, 50_000)
    our.use(MONDAY, usage=usage, web_search_requests=2)
    our.use(MONDAY + HOUR, usage=usage, api_key_id=our.of_robot.id)

    report = our.ask(USAGE, starting_at=MONDAY, ending_at=MONDAY + DAY)

    assert report == {
        "data": [
            {
                "starting_at": f"{MONDAY:%Y-%m-%d}T00:00:00Z",
                "ending_at": f"{MONDAY + DAY:%Y-%m-%d}T00:00:00Z",
                "results": [
                    {
                        "uncached_input_tokens": 2,
                        "cache_creation": {
                            "ephemeral_5m_input_tokens": 600,
                            "ephemeral_1h_input_tokens": 8000,
                        },
                        "cache_read_input_tokens": 40,
                        "output_tokens": 100_000,
                        "server_tool_use": {"web_search_requests": 2},
                        **NOTHING,
                    }
                ],
            }
        ],
        "has_more": False,
        "next_page": None,
    }


def test_grouped_by_everything_a_result_names_it_all_and_the_default_workspace_is_null(our: Office) -> None:
    robot = {"workspace_id": our.lab.id, "api_key_id": our.of_robot.id, "service_tier": "batch"}
    our.use(usage=TokenUsage(200_001), **robot, inference_geo="us")
    our.use(api_key_id=our.of_nobody.id)
    our.use()

    found = results(our.walk(USAGE, starting_at=MONDAY, group_by=list(NOTHING)))

    usual = {"workspace_id": None, "model": "claude-sonnet-4-5", "service_tier": "standard"}
    usual |= {"context_window": "0-200k", "inference_geo": "not_available"}
    dev = {**usual, "api_key_id": our.of_dev.id, "account_id": our.account, "service_account_id": None}
    server = {**usual, "api_key_id": our.of_nobody.id, "account_id": None, "service_account_id": None}
    lab = {"account_id": None, "service_account_id": our.service_account}
    lab |= {**robot, "model": "claude-sonnet-4-5", "context_window": "200k-1M", "inference_geo": "us"}
    expected = sorted([dev, server, lab], key=lambda dimensions: str(dimensions["api_key_id"]))
    assert [{name: one[name] for name in NOTHING} for one in found] == expected


def test_the_default_workspace_is_found_by_its_real_id(our: Office) -> None:
    our.use()
    our.use(workspace_id=our.lab.id, usage=TokenUsage(7))

    found = results(
        our.walk(USAGE, starting_at=MONDAY, workspace_ids=[our.default.id], group_by=["workspace_id"])
    )

    assert [(one["workspace_id"], one["uncached_input_tokens"]) for one in found] == [(None, 100)]


@pytest.mark.parametrize(("width", "usual", "most"), [("1m", 60, 1440), ("1h", 24, 168), ("1d", 7, 31)])
def test_a_page_has_as_many_buckets_as_its_width_allows(
    our: Office, width: str, usual: int, most: int
) -> None:
    long_ago = MONDAY - 60 * DAY

    for asked, count in (({}, usual), ({"limit": 1}, 1), ({"limit": most}, most)):
        page = our.ask(USAGE, starting_at=long_ago, bucket_width=width, **asked)
        assert (len(page["data"]), page["has_more"]) == (count, True)
    for limit in (0, -1, most + 1, "ten"):
        assert our.refused(USAGE, starting_at=long_ago, bucket_width=width, limit=limit).startswith("limit: ")


def test_buckets_are_aligned_in_utc_and_empty_ones_are_there(our: Office) -> None:
    zone = datetime.timezone(datetime.timedelta(hours=5, minutes=30))
    at = MONDAY + 10 * HOUR
    our.use(at + HOUR)

    buckets = our.walk(
        USAGE,
        starting_at=(at + MINUTE).astimezone(zone),
        ending_at=(at + 2 * HOUR + MINUTE).astimezone(zone),
        bucket_width="1h",
    )

    assert [(bucket["starting_at"], len(bucket["results"])) for bucket in buckets] == [
        (f"{at + n * HOUR:%Y-%m-%dT%H:%M:%SZ}", count) for n, count in enumerate([0, 1, 0])
    ]


def test_an_end_is_not_inside(our: Office) -> None:
    our.use(MONDAY + DAY)

    assert our.walk(USAGE, starting_at=MONDAY, ending_at=MONDAY + DAY)[0]["results"] == []


def test_without_an_end_the_last_bucket_is_the_one_of_now(our: Office) -> None:
    buckets = our.walk(USAGE, starting_at=MONDAY + 5 * HOUR)

    assert buckets[0]["starting_at"] == f"{MONDAY:%Y-%m-%dT%H:%M:%SZ}"
    assert datetime.datetime.fromisoformat(buckets[-1]["starting_at"]) >= TODAY
    assert our.ask(USAGE, starting_at=TODAY + 40 * DAY) == {"data": [], "has_more": False, "next_page": None}


@pytest.mark.parametrize("start", ["1970-01-01T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_a_start_in_the_far_past_is_read_as_2020(our: Office, start: str) -> None:
    page = our.ask(USAGE, starting_at=start, ending_at="9999-12-31T23:59:59Z", bucket_width="1m")

    assert (page["data"][0]["starting_at"], len(page["data"])) == ("2020-01-01T00:00:00Z", 60)
    assert page["has_more"]


def test_all_pages_together_are_the_large_page(our: Office) -> None:
    for n in range(12):
        our.use(MONDAY + 3 * n * HOUR, model=f"m{n % 2}")
    asked: dict[str, Any] = {"starting_at": MONDAY, "bucket_width": "1h", "group_by": ["model"]}
    asked |= {"ending_at": MONDAY + 2 * DAY}

    small, large = our.walk(USAGE, limit=5, **asked), our.walk(USAGE, limit=168, **asked)

    assert small == large
    assert (len(large), len(results(large))) == (48, 12)


def test_a_page_of_something_else_is_refused(our: Office) -> None:
    asked = {"starting_at": MONDAY - 30 * DAY}
    page = our.ask(USAGE, **asked)["next_page"]
    foreign = our.ask(USAGE, **asked, secret=our.other_secret)["next_page"]

    for wrong in (foreign, our.ask(COST, **asked)["next_page"], page[:-1], "page_", "x\0", "é"):
        assert our.refused(USAGE, **asked, page=wrong).startswith("page: ")
    assert our.refused(USAGE, **asked, bucket_width="1h", page=page).startswith("page: ")
    assert our.ask(USAGE, **asked, page=page)["data"]


@pytest.mark.parametrize(
    ("field", "asked"),
    [
        ("starting_at", {"starting_at": ""}),
        ("starting_at", {"starting_at": "yesterday"}),
        ("starting_at", {"starting_at": "2026-02-30T00:00:00Z"}),
        ("ending_at", {"ending_at": "soon"}),
        ("ending_at", {"ending_at": MONDAY}),
        ("ending_at", {"ending_at": MONDAY - MINUTE}),
        ("bucket_width", {"bucket_width": "1w"}),
        ("group_by", {"group_by": ["model", "provider"]}),
        ("group_by", {"group_by": ["speed"]}),
        ("speeds", {"speeds": ["fast"]}),
        ("service_tiers", {"service_tiers": ["cheap"]}),
        ("context_window", {"context_window": ["1M-2M"]}),
        ("inference_geos", {"inference_geos": ["moon"]}),
        ("models", {"models": ["a\0b"]}),
        ("models", {"models": ["m" * 10_000]}),
        ("api_key_ids", {"api_key_ids": ["k"] * 501}),
        ("page", {"page": "p" * 10_000}),
    ],
)
def test_bad_input_is_refused_by_its_name(our: Office, field: str, asked: dict[str, Any]) -> None:
    message = our.refused(USAGE, **{"starting_at": MONDAY, **asked})

    assert message.split(":")[0].split(".")[0] == field


def test_names_that_nobody_has_are_simply_not_there(our: Office) -> None:
    our.use()

    for name in ("models", "api_key_ids", "workspace_ids", "account_ids", "service_account_ids"):
        assert results(our.walk(USAGE, starting_at=MONDAY, **{name: ["nobody's", "%s'\"; --"]})) == []


def test_requests_that_used_nothing_are_not_results(our: Office) -> None:
    our.use(usage=TokenUsage(), status=529)

    assert results(our.walk(USAGE, starting_at=MONDAY)) == []
    assert results(our.walk(COST, starting_at=MONDAY)) == []


def test_another_organization_sees_nothing_of_it(our: Office) -> None:
    our.use()
    theirs = our.use(organization_id=our.umbrella.id, usage=TokenUsage(5))

    for group_by in ([], list(NOTHING)):
        (one,) = results(our.walk(USAGE, starting_at=MONDAY, secret=our.other_secret, group_by=group_by))
        assert one["uncached_input_tokens"] == theirs.usage.input_tokens
        assert one["account_id"] is None
    asked = {"secret": our.other_secret, "starting_at": MONDAY, "account_ids": [our.account]}
    assert results(our.walk(USAGE, **asked)) == []


def test_a_page_costs_its_statement_and_the_keys(
    our: Office, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    for model in ("m1", "m2", "m3"):
        our.use(model=model)
    everything = {"starting_at": MONDAY, "group_by": list(NOTHING), "account_ids": [our.account]}

    with django_assert_num_queries(1):  # the key; the page itself is streamed past Django
        assert len(results(our.ask(USAGE, **everything)["data"])) == 3


def test_the_sdk_reads_it_over_a_socket(door: Door, committed_people: Cast) -> None:
    sdk = door.sdk(admin_key(committed_people.acme)[1])

    report = sdk.get(
        USAGE, cast_to=object, options={"params": {"starting_at": MONDAY.isoformat(), "group_by": ["model"]}}
    )

    assert isinstance(report, dict)
    assert [bucket["results"] for bucket in report["data"]] == [[]] * len(report["data"])
    with pytest.raises(anthropic.BadRequestError, match="starting_at: Field required"):
        sdk.get(USAGE, cast_to=object)
