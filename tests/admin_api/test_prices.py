"""Versions of a price: from now on or from a moment to come, never of the past, and none twice."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal

import pytest
from django.utils import timezone

from admin_api.actions import models
from admin_api.actor import SYSTEM
from admin_api.catalog import Rates, RouteTo
from gateway.errors import InvalidRequest
from gateway.models import AuditEntry, Model, Price
from gateway.price import LongContext

DAY = datetime.timedelta(days=1)
LONG = LongContext(200_000, *[Decimal(9)] * 5)


def rates(amount: int, *, at: datetime.datetime | None = None, **more: object) -> Rates:
    return dataclasses.replace(Rates(*[Decimal(amount)] * 5, effective_at=at), **more)


def set_to(price: Rates) -> list[str]:
    """The changes, as they are told."""
    outcome = models.upsert(actor=SYSTEM, name="m", routes=[RouteTo("simulator", "m")], price=price)
    return [str(change) for change in outcome.changes if change.field.startswith("price")]


def versions() -> list[tuple[Decimal, datetime.datetime]]:
    return list(Price.objects.filter(model_name="m").order_by("id").values_list("input", "effective_at"))


def in_force(at: datetime.datetime) -> Decimal:
    found = (
        Price.objects.filter(model_name="m", effective_at__lte=at).order_by("-effective_at", "-id").first()
    )
    assert found is not None
    return found.input


def test_each_part_of_a_price_makes_a_version(db: None) -> None:
    set_to(rates(1))
    steps: list[dict[str, object]] = [
        {"batch_factor": Decimal("0.4")},
        {"web_search": Decimal(10)},
        {"long_context": LONG},
        {"long_context": dataclasses.replace(LONG, threshold=1)},
        {},
    ]

    said = [set_to(rates(1, **step)) for step in steps]

    assert said[0] == ["price.batch_factor 0.5 -> 0.4"]
    assert said[1] == ["price.batch_factor 0.4 -> 0.5", "price.web_search 0 -> 10"]
    assert said[2][:2] == ["price.web_search 10 -> 0", "price.long_context_threshold none -> 200000"]
    assert said[3] == ["price.long_context_threshold 200000 -> 1"]
    assert len(said[4]) == 6
    assert set_to(rates(1)) == []
    assert len(versions()) == 6


def test_a_price_to_come_is_a_row_that_changes_nothing_yet(db: None) -> None:
    moment = timezone.now() + DAY
    set_to(rates(1))

    said = set_to(rates(2, at=moment))

    assert said[-1] == f"price.effective_at none -> {moment.isoformat()}"
    assert len(said) == 6
    assert (in_force(timezone.now()), in_force(moment)) == (1, 2)
    assert set_to(rates(2, at=moment)) == []
    assert set_to(rates(1)) == []
    assert AuditEntry.objects.filter(target_id="m").count() == 2


def test_several_prices_may_wait_and_one_is_taken_back_by_the_present_one(db: None) -> None:
    first, second = timezone.now() + DAY, timezone.now() + 2 * DAY
    for price in (rates(1), rates(2, at=first), rates(3, at=second)):
        set_to(price)

    said = set_to(rates(1, at=first))

    assert said[0] == "price.input 2 -> 1"
    assert [in_force(first), in_force(second)] == [1, 3]
    assert len(versions()) == 4


def test_the_same_price_at_a_later_moment_is_told_and_kept(db: None) -> None:
    moment = timezone.now() + DAY
    set_to(rates(1))

    assert set_to(rates(1, at=moment)) == [f"price.effective_at none -> {moment.isoformat()}"]
    assert set_to(rates(1, at=moment)) == []


def test_a_price_of_the_past_is_refused_and_leaves_nothing(db: None) -> None:
    set_to(rates(1))
    before = versions()

    with pytest.raises(InvalidRequest, match=r"^price\.effective_at: lies in the past"):
        set_to(rates(2, at=timezone.now() - DAY))

    assert versions() == before
    assert AuditEntry.objects.filter(target_id="m").count() == 1


def test_a_file_may_go_on_to_tell_when_its_price_began(db: None) -> None:
    set_to(rates(1))

    assert set_to(rates(1, at=timezone.now() - DAY)) == []


def test_a_first_price_counts_from_now_on_whatever_it_says(db: None) -> None:
    start = timezone.now()

    set_to(rates(1, at=start - DAY))

    ((_, effective_at),) = versions()
    assert effective_at >= start
    assert Model.objects.get(name="m").price is not None
    assert set_to(rates(1, at=start - DAY)) == []
