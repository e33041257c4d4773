"""How far a batch is, for people: the API itself tells no counts before the end. Pure; whoever has the row asks."""

from __future__ import annotations

import datetime
from typing import Protocol

import msgspec

IN_PROGRESS, CANCELING, ENDED = "in_progress", "canceling", "ended"


class Standing(Protocol):
    """What this needs of a batch's row."""

    status: str
    total: int
    succeeded: int
    errored: int
    canceled: int
    expired: int
    created_at: datetime.datetime
    ended_at: datetime.datetime | None


class Counts(msgspec.Struct, frozen=True):
    """The items of a batch; `processing` are all that have no result yet."""

    processing: int
    succeeded: int
    errored: int
    canceled: int
    expired: int


class Progress(msgspec.Struct, frozen=True):
    """`per_second` to three digits; `seconds_left` is None where nothing moves, and once nothing is left."""

    status: str
    total: int
    done: int
    counts: Counts
    per_second: float
    seconds_left: int | None


def progress_of(batch: Standing, now: datetime.datetime, per_second: float | None = None) -> Progress:
    """`per_second` is what was measured of late; without it, the mean since the batch was made."""
    done = batch.succeeded + batch.errored + batch.canceled + batch.expired
    left = max(0, batch.total - done)
    rate = mean_rate(batch, done, now) if per_second is None else per_second
    return Progress(
        status=batch.status,
        total=batch.total,
        done=done,
        counts=Counts(left, batch.succeeded, batch.errored, batch.canceled, batch.expired),
        per_second=float(f"{rate:.3g}"),
        seconds_left=round(left / rate) if rate > 0 and left and batch.status != ENDED else None,
    )


def mean_rate(batch: Standing, done: int, now: datetime.datetime) -> float:
    """Items a second, from the batch's creation to now or to its end."""
    seconds = ((batch.ended_at or now) - batch.created_at).total_seconds()
    return done / seconds if seconds > 0 else 0.0
