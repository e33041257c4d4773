"""Versions of a model's price: rows that never change. Part of `models.upsert`, which writes the audit line."""

from __future__ import annotations

import datetime

from django.db import connection

from admin_api.catalog import Rates
from admin_api.changes import Change, differences
from gateway.errors import InvalidRequest
from gateway.models import Model, Price


def set_price(row: Model, price: Rates) -> list[Change]:
    """A further version, unless this one is there already. Raises `InvalidRequest` for one of the past.

    That is told apart from a version that is in force since then: a file that announced a price goes on to say so.
    A model that never had a price takes any, from now on.
    """
    now = _now()
    if price.effective_at is not None and price.effective_at > now:
        return _schedule(row, price, price.effective_at)
    current = _in_force(row, now)
    changes = _differences(current, price)
    if changes and current is not None and price.effective_at is not None:
        raise InvalidRequest(
            f"price.effective_at: lies in the past, and what model {row.name!r} was used for since then is charged"
            " already; without effective_at a price counts from now on"
        )
    if changes:
        _create(row, price, now)
    return changes


def _schedule(row: Model, price: Rates, at: datetime.datetime) -> list[Change]:
    """One of the same moment is superseded: of two that begin together the later row counts."""
    scheduled = row.prices.filter(effective_at=at).order_by("-id").first()
    changes = _differences(scheduled or _in_force(row, at), price)
    if scheduled is not None and not changes:
        return []
    _create(row, price, at)
    return [*changes, Change("price.effective_at", None, at.astimezone(datetime.UTC).isoformat())]


def _differences(old: Price | None, new: Rates) -> list[Change]:
    columns = new.columns()
    before = {name: getattr(old, name) for name in columns} if old else {}
    return [Change(f"price.{one.field}", one.old, one.new) for one in differences(before, columns)]


def _in_force(row: Model, at: datetime.datetime) -> Price | None:
    return row.prices.filter(effective_at__lte=at).order_by("-effective_at", "-id").first()


def _create(row: Model, price: Rates, at: datetime.datetime) -> None:
    Price.objects.create(model=row, model_name=row.name, effective_at=at, **price.columns())


def _now() -> datetime.datetime:
    """By the database's clock, since it is the one that the data plane reads prices by."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement_timestamp()")
        ((now,),) = cursor.fetchall()
    found: datetime.datetime = now
    return found
