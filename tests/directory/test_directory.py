"""A price begins in every running process at its moment, announced or not, whether or not Postgres answers then."""

from __future__ import annotations

import asyncio
import datetime
from collections.abc import Iterator
from decimal import Decimal

import pytest
from django.conf import settings
from pytest_django.plugin import DjangoDbBlocker

from admin_api.actions import models
from admin_api.actor import SYSTEM
from admin_api.catalog import RouteTo
from gateway.directory.directory import Directory
from gateway.models import Model, Price
from tests.committed import committed
from tests.directory.test_store import unopened

CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


@pytest.fixture(autouse=True)
def rows(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    with committed(django_db_blocker):
        yield


def price(model: Model, amount: int, effective_at: datetime.datetime) -> Price:
    """A row that nobody announces."""
    return Price.objects.create(
        model=model,
        model_name=model.name,
        effective_at=effective_at,
        **dict.fromkeys(CLASSES, Decimal(amount)),
    )


def now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)


def directory() -> Directory:
    return Directory(unopened(), redis_url=settings.CONFIGURATION.redis_url, peppers=[b"pepper"])


async def seen(process: Directory, seconds: float) -> list[tuple[datetime.datetime, int | None]]:
    """The price of the model `m` and when it was first seen, for a while."""
    found: list[tuple[datetime.datetime, int | None]] = []
    until = now() + datetime.timedelta(seconds=seconds)
    while now() < until:
        version = process.catalog.names["m"].price_version
        if not found or found[-1][1] != version:
            found.append((now(), version))
        await asyncio.sleep(0.002)
    return found


@pytest.mark.parametrize("postgres_answers", [True, False])
def test_a_price_begins_at_its_moment_in_every_process(postgres_answers: bool) -> None:
    model = models.upsert(actor=SYSTEM, name="m", routes=[RouteTo("simulator", "m")]).row
    start = now()
    moments = [start + datetime.timedelta(seconds=seconds) for seconds in (1.0, 1.5)]
    old = price(model, 1, start - datetime.timedelta(days=1))
    _beaten, new, newest = (
        price(model, n, at) for n, at in ((2, moments[0]), (3, moments[0]), (4, moments[1]))
    )

    async def run() -> list[list[tuple[datetime.datetime, int | None]]]:
        processes = [directory(), directory()]
        for process in processes:
            await process.start()
            if not postgres_answers:
                await process.store.close()
        try:
            return await asyncio.gather(*(seen(process, 2) for process in processes))
        finally:
            for process in processes:
                await process.stop()

    for found in asyncio.run(run()):
        assert [version for _, version in found] == [old.pk, new.pk, newest.pk]
        late = [(at - moment).total_seconds() for (at, _), moment in zip(found[1:], moments, strict=True)]
        assert all(0 <= one < 0.3 for one in late), late
