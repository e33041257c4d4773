"""A gateway that is another gateway's provider: its Admin API tells exactly what the ledger holds."""

from __future__ import annotations

import datetime
import io
import random
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from gateway.metering import store
from gateway.metering.event import TokenUsage, UsageEvent
from gateway.metering.prices import PriceBook
from gateway.metering.rows import row_from_event
from gateway.models import Price, Provider
from tests.admin_api.door import Door, admin_key
from tests.metering.ledger import usage_event
from tests.people import Cast

NOW = datetime.datetime.now(datetime.UTC)
DAYS = 40  # more than one page
MODELS = ("claude-sonnet-4-5", "claude-haiku-4-5-20251001", "claude-opus-4-5")


def test_the_report_of_our_own_admin_api_equals_the_ledger(
    door: Door, committed_people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    Provider.objects.create(name="peer", dialect="anthropic", base_url=door.base_url)
    monkeypatch.setenv("PEER_KEY", admin_key(committed_people.acme)[1])
    _use(committed_people, 300)

    assert _reconciled().startswith("Equal: ")


def test_an_attempt_that_the_report_does_not_know_is_found(
    door: Door, committed_people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    Provider.objects.create(name="peer", dialect="anthropic", base_url=door.base_url)
    monkeypatch.setenv("PEER_KEY", admin_key(committed_people.acme)[1])
    _use(committed_people, 20)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM usage_day WHERE model = %s", [MODELS[0]])

    with pytest.raises(CommandError, match="figures differ") as refused:
        _reconciled()

    assert refused.value.returncode == 2


def _use(people: Cast, count: int) -> None:
    """Priced attempts of Acme at the peer, of all kinds, over more days than a page of a report holds."""
    chance = random.Random(count)
    price = Price.objects.create(
        model_name="m",
        effective_at=NOW,
        input=Decimal("3.0000000001"),
        output=15,
        cache_read=Decimal("0.3"),
        cache_write_5m=Decimal("3.75"),
        cache_write_1h=6,
    )
    connection.ensure_connection()
    book = PriceBook()
    book.learn(connection.connection, [price.pk])
    events = [_event(people, chance, price.pk) for _ in range(count)]
    store.record(connection.connection, [row_from_event(event, book, NOW) for event in events])


def _event(people: Cast, chance: random.Random, price: int) -> UsageEvent:
    model = chance.choice(MODELS)
    return usage_event(
        NOW - datetime.timedelta(minutes=chance.randrange(DAYS * 1440)),
        organization_id=people.acme.pk,
        provider="peer",
        model=model,
        upstream_model=model,
        price_version=price,
        service_tier=chance.choice(["standard", "batch"]),
        usage=TokenUsage(*(chance.choice([0, chance.randrange(150_000)]) for _ in range(5))),
    )


def _reconciled() -> str:
    said = io.StringIO()
    first = (NOW - datetime.timedelta(days=DAYS)).date()
    call_command(
        "reconcile",
        "--provider=peer",
        f"--from={first}",
        f"--to={NOW.date()}",
        "--admin-key-env=PEER_KEY",
        stdout=said,
    )
    return said.getvalue()
