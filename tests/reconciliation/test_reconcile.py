"""`manage.py reconcile` between a real ledger and a provider's report, over HTTP."""

from __future__ import annotations

import datetime
import io
import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from django.core.management import CommandError, call_command

from gateway.configuration import PROJECT_DIR
from gateway.management.commands.reconcile import ADMIN_KEY as VARIABLE
from gateway.metering import partitions
from gateway.metering.event import TokenUsage, UsageEvent
from gateway.models import Provider
from gateway.reconciliation import provider_report
from tests.faults import FaultProxy
from tests.metering.conftest import ledger
from tests.metering.ledger import UMBRELLA, Ledger, usage_event
from tests.metering.test_partitions import FAR, TODAY, no_far_partitions
from tests.reconciliation.bookkeeper import ADMIN_KEY, Bookkeeper, at_work

__all__ = ["ledger", "no_far_partitions"]

MONDAY = TODAY - datetime.timedelta(days=4)
MODEL = "claude-sonnet-4-5"
SPAN = [f"--from={MONDAY}", f"--to={TODAY}"]
INPUT, OUTPUT = "uncached_input_tokens", "output_tokens"


@pytest.fixture
def bookkeeper(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> Iterator[Bookkeeper]:
    """Of the provider `upstream`, whose admin key is where the command looks for one."""
    with at_work() as bookkeeper:
        Provider.objects.create(name="upstream", dialect="anthropic", base_url=bookkeeper.base_url)
        monkeypatch.setenv(VARIABLE, f"{ADMIN_KEY}\n")
        yield bookkeeper


def reconcile(*words: str) -> tuple[int, str]:
    """The exit code, and what was said on either stream."""
    said = io.StringIO()
    try:
        call_command("reconcile", "--provider=upstream", *(words or SPAN), stdout=said)
    except CommandError as problem:
        return problem.returncode, f"{said.getvalue()}{problem}"
    return 0, said.getvalue()


def attempt(day: datetime.date = MONDAY, **changes: Any) -> UsageEvent:
    """A thousand tokens in for 0.3 cents and a hundred out for 0.15, unless told otherwise."""
    noon = datetime.datetime.combine(day, datetime.time(12), datetime.UTC)
    given = {"provider": "upstream", "upstream_model": MODEL, "usage": TokenUsage(1000, 0, 0, 0, 100)}
    return usage_event(noon, **{**given, **changes})


def report(bookkeeper: Bookkeeper, day: datetime.date = MONDAY, model: str = MODEL) -> None:
    """What a provider says of one such attempt."""
    bookkeeper.used(day, model, input=1000, output=100)
    bookkeeper.charged(day, "0.3", model, INPUT)
    bookkeeper.charged(day, "0.15", model, OUTPUT)


def test_equal_books_are_told_to_be_equal(ledger: Ledger, bookkeeper: Bookkeeper) -> None:
    """Two organizations, two days on different pages, every class of tokens; another provider is not asked about."""
    price = ledger.price()
    usage = TokenUsage(1000, 2000, 3000, 4000, 500)
    ledger.record(
        attempt(price_version=price, usage=usage),
        attempt(price_version=price, organization_id=UMBRELLA),
        attempt(TODAY, price_version=price),
        attempt(price_version=price, provider="another"),
    )
    bookkeeper.used(
        MONDAY, MODEL, input=2000, cache_read=2000, cache_write_5m=3000, cache_write_1h=4000, output=600
    )
    for cents, token_type in (
        ("0.60", INPUT),
        ("0.06", "cache_read_input_tokens"),
        ("1.125", "cache_creation.ephemeral_5m_input_tokens"),
        ("2.4", "cache_creation.ephemeral_1h_input_tokens"),
        ("0.9", OUTPUT),
    ):
        bookkeeper.charged(MONDAY, cents, MODEL, token_type)
    report(bookkeeper, TODAY)

    assert reconcile() == (0, "Equal: 12,700 tokens, $0.05535.\n")


def test_both_reports_are_asked_for_by_day_and_page_after_page(bookkeeper: Bookkeeper) -> None:
    assert reconcile()[0] == 0

    asked = [
        (path.rpartition("/")[2], query["group_by[]"], query.get("page")) for path, query in bookkeeper.asked
    ]
    assert asked == [
        (report, [group], page)
        for report, group in (("messages", "model"), ("cost_report", "description"))
        for page in (None, ["2"], ["4"])
    ]
    (_, first), *_ = bookkeeper.asked
    assert first["starting_at"] == [f"{MONDAY}T00:00:00Z"]
    assert first["ending_at"] == [f"{TODAY + datetime.timedelta(days=1)}T00:00:00Z"]


def test_each_difference_is_a_line_with_both_figures_and_makes_it_exit_2(
    ledger: Ledger, bookkeeper: Bookkeeper
) -> None:
    ledger.record(attempt(price_version=ledger.price()))
    bookkeeper.used(MONDAY, MODEL, input=1000, output=130)
    bookkeeper.charged(MONDAY, "0.3", MODEL, INPUT)
    bookkeeper.charged(MONDAY, "0.195", MODEL, OUTPUT)

    code, said = reconcile()

    assert code == 2
    (line,) = [line.split() for line in said.splitlines() if str(MONDAY) in line]
    assert line == [str(MONDAY), MODEL, OUTPUT, "100", "130", "0.0015", "0.00195"]
    assert said.endswith("1 figure differs")


def test_programs_get_the_same_as_json(ledger: Ledger, bookkeeper: Bookkeeper) -> None:
    ledger.record(attempt(price_version=ledger.price(), usage_source="estimated"))
    report(bookkeeper)
    report(bookkeeper)

    said = io.StringIO()
    with pytest.raises(CommandError) as refused:
        call_command("reconcile", "--provider=upstream", *SPAN, "--json", stdout=said)

    assert refused.value.returncode == 2
    told = json.loads(said.getvalue())
    assert told["ledger"] == {"tokens": 1100, "cost": "0.0045"}
    assert told["provider"] == {"tokens": 2200, "cost": "0.009"}
    assert told["differences"][1] == {
        "day": str(MONDAY),
        "model": MODEL,
        "token_type": INPUT,
        "ledger": {"tokens": 1000, "cost": "0.003"},
        "provider": {"tokens": 2000, "cost": "0.006"},
        "attempts": {"estimated": 1, "unknown": 0, "unpriced": 0},
    }


def test_attempts_that_nobody_measured_are_named_as_a_likely_reason(
    ledger: Ledger, bookkeeper: Bookkeeper
) -> None:
    price = ledger.price()
    ledger.record(
        attempt(price_version=price, usage_source="estimated"),
        attempt(price_version=price, usage_source="unknown"),
        attempt(price_version=price, usage_source="unknown"),
        attempt(price_version=None),
    )

    code, said = reconcile()

    assert code == 2
    assert said.count("attempts: 1 estimated, 2 with unknown usage, 1 without a price") == 2


def test_a_model_that_we_ask_for_without_its_date_is_the_one_that_answered(
    ledger: Ledger, bookkeeper: Bookkeeper
) -> None:
    ledger.record(attempt(price_version=ledger.price()))
    report(bookkeeper, model=f"{MODEL}-20250929")

    assert reconcile()[0] == 0


def test_what_is_used_beside_the_gateway_is_found(bookkeeper: Bookkeeper) -> None:
    report(bookkeeper)
    bookkeeper.used(MONDAY, None, searches=3)
    bookkeeper.charged(MONDAY, "3", None, None, cost_type="web_search")
    bookkeeper.charged(MONDAY, "12.5", None, None, cost_type="code_execution")

    _, said = reconcile()

    lines = [line.split()[1:] for line in said.splitlines() if str(MONDAY) in line]
    assert lines == [
        ["-", "code_execution", "0", "0", "0", "0.125"],
        ["-", "web_search_requests", "0", "3", "0", "0.03"],
        [MODEL, OUTPUT, "0", "100", "0", "0.0015"],
        [MODEL, INPUT, "0", "1,000", "0", "0.003"],
    ]


@pytest.mark.parametrize(("cents", "code"), [("0.4", 0), ("0.30", 2), ("0.35", 0), ("0.36", 2)])
def test_costs_are_compared_as_far_as_a_report_tells_them(
    ledger: Ledger, bookkeeper: Bookkeeper, cents: str, code: int
) -> None:
    ledger.record(attempt(price_version=ledger.price(input="3.5"), usage=TokenUsage(input_tokens=1000)))
    bookkeeper.used(MONDAY, MODEL, input=1000)
    bookkeeper.charged(MONDAY, cents, MODEL, INPUT)

    assert reconcile()[0] == code


BROKEN = {
    "a refusal in its own words": (
        (403, b'{"error": {"message": "not an admin"}}'),
        "answers 403: not an admin",
    ),
    "a page of a proxy": ((502, b"<html>"), "answers 502: Bad Gateway"),
    "no report": ((200, b"hello"), "something else than a report"),
    "another report": ((200, b'{"data": [{"starting_at": 1}]}'), "something else than a report"),
    "a redirect": ((302, b""), "answers 302"),
    "the same page for ever": ((200, b'{"data": [], "has_more": true, "next_page": "1"}'), "again and again"),
}


@pytest.mark.parametrize(("broken", "told"), BROKEN.values(), ids=BROKEN.keys())
def test_a_report_that_cannot_be_had_is_a_1_with_the_reason(
    bookkeeper: Bookkeeper, broken: tuple[int, bytes], told: str
) -> None:
    bookkeeper.broken = broken

    code, said = reconcile()

    assert code == 1
    assert told in said


@pytest.mark.parametrize(("cents", "currency"), [("a lot", "USD"), ("NaN", "USD"), ("5", "EUR")])
def test_an_amount_that_is_no_dollars_is_a_1(bookkeeper: Bookkeeper, cents: str, currency: str) -> None:
    bookkeeper.charged(MONDAY, cents, MODEL, INPUT, currency=currency)

    assert reconcile()[0] == 1


def test_a_provider_that_is_silent_or_away_is_a_1_in_time(
    bookkeeper: Bookkeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(provider_report, "TIMEOUT", httpx.Timeout(0.2))
    with FaultProxy(bookkeeper.base_url.removeprefix("http://")) as proxy:
        Provider.objects.update(base_url=f"http://{proxy.address}")
        proxy.behave(silent=True)
        silent = reconcile()
        proxy.behave(refuse=True)
        away = reconcile()

    assert silent[0] == away[0] == 1
    assert "ReadTimeout" in silent[1]
    assert "ConnectError" in away[1]


@pytest.mark.parametrize("key", ["sk-wrong", "sk-\x07bell", "sk-ключ"])
def test_the_key_is_never_told(
    bookkeeper: Bookkeeper, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, key: str
) -> None:
    monkeypatch.setenv("OTHER", key)
    caplog.set_level(logging.DEBUG)

    code, said = reconcile(*SPAN, "--admin-key-env=OTHER")

    assert code == 1
    assert key not in said
    assert not any(key in record.getMessage() for record in caplog.records)


def test_without_a_key_it_says_where_one_is_looked_for(
    bookkeeper: Bookkeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv(VARIABLE)

    assert reconcile() == (1, f"{VARIABLE} is not set: put an Admin key of upstream there")


@pytest.mark.usefixtures("no_far_partitions")
def test_days_whose_events_were_dropped_cannot_be_compared(ledger: Ledger, bookkeeper: Bookkeeper) -> None:
    ledger.record(attempt(FAR[0]))
    with ledger.connection.transaction(), ledger.connection.cursor() as cursor:
        partitions.drop(cursor, FAR[0])

    code, said = reconcile(f"--from={FAR[0]}", f"--to={TODAY}")

    assert (code, bookkeeper.asked) == (1, [])
    assert "were dropped for their age" in said


def test_a_provider_without_such_a_report_is_refused(bookkeeper: Bookkeeper) -> None:
    Provider.objects.filter(name="upstream").update(dialect="openai")

    assert reconcile()[0] == 1
    assert bookkeeper.asked == []


def test_a_wrong_word_is_no_difference() -> None:
    run = subprocess.run(
        [sys.executable, "manage.py", "reconcile", "--provider=x", "--from=monday", "--to=2026-01-01"],
        cwd=PROJECT_DIR,
        capture_output=True,
        text=True,
        check=False,
    )

    assert run.returncode == 1
    assert "argument --from: invalid date value: 'monday'" in run.stderr
