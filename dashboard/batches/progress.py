"""How far a batch is, ready to be drawn: by a template, or by the page's script with what the stream sends."""

from __future__ import annotations

import datetime

import msgspec

from dashboard.frame import figures
from gateway.batches.progress import ENDED, Counts, Progress, progress_of
from gateway.models import MessageBatch

STATES = ("succeeded", "errored", "canceled", "expired")  # in the order of the bar
LABELS = {"in_progress": "In progress", "canceling": "Canceling", "ended": "Ended"}
WIDTH = 1000  # of the bar
LEAST_WIDTH = 4  # of what is there at all


class Segment(msgspec.Struct, frozen=True):
    """A part of the bar, in units of `WIDTH`."""

    state: str
    x: int
    width: int


class Shown(msgspec.Struct, frozen=True):
    """`words` are what the page says, by the places where it does; numbers beside them are for programs."""

    status: str
    total: int
    done: int
    counts: Counts
    per_second: float
    seconds_left: int | None
    bar: list[Segment]
    words: dict[str, str]

    @property
    def over(self) -> bool:
        return self.status == ENDED


def shown(batch: MessageBatch, now: datetime.datetime, per_second: float | None = None) -> Shown:
    """`per_second` as `progress_of` takes it."""
    it = progress_of(batch, now, per_second)
    return Shown(
        it.status,
        it.total,
        it.done,
        it.counts,
        it.per_second,
        it.seconds_left,
        bar(it),
        _words(it, batch, now),
    )


def bar(progress: Progress) -> list[Segment]:
    """All four parts, also those of no width, so that each stays where it is drawn."""
    parts, x = [], 0
    for state in STATES:
        count = getattr(progress.counts, state)
        width = max(LEAST_WIDTH, count * WIDTH // progress.total) if count else 0
        width = min(width, WIDTH - x)
        parts.append(Segment(state, x, width))
        x += width
    return parts


def _words(it: Progress, batch: MessageBatch, now: datetime.datetime) -> dict[str, str]:
    counts = {state: figures.count(getattr(it.counts, state)) for state in ("processing", *STATES)}
    return {
        **counts,
        "status": LABELS[it.status],
        "done": f"{figures.count(it.done)} of {figures.count(it.total)}",
        "percent": figures.percent(it.done, it.total),
        "rate": _rate(it),
        "left": _left(it, batch),
        "clock": _clock(batch, now),
        "summary": ", ".join(f"{count} {state}" for state, count in counts.items()),
    }


def _rate(it: Progress) -> str:
    if not it.per_second:
        return "0 a second"
    if it.per_second < 1 / 60:
        return f"{it.per_second * 3600:.3g} an hour"
    if it.per_second < 1:
        return f"{it.per_second * 60:.3g} a minute"
    return f"{figures.count(it.per_second) if it.per_second >= 100 else f'{it.per_second:g}'} a second"


def _left(it: Progress, batch: MessageBatch) -> str:
    """Of a batch that has ended, how long it took."""
    if batch.ended_at is not None:
        return _took(batch.ended_at - batch.created_at)
    return "unknown" if it.seconds_left is None else f"about {figures.span(it.seconds_left)}"


def _clock(batch: MessageBatch, now: datetime.datetime) -> str:
    if batch.ended_at is not None:
        return f"took {_took(batch.ended_at - batch.created_at)}"
    seconds = (batch.expires_at - now).total_seconds()
    return f"expires in {figures.span(seconds)}" if seconds > 0 else "has expired"


def _took(time: datetime.timedelta) -> str:
    return figures.span(time.total_seconds())
