"""One request as its page shows it: when what happened, what it used and cost, and why it failed."""

from __future__ import annotations

import dataclasses
import datetime
from decimal import Decimal

from admin_api.block_message import message_of
from admin_api.queries.log_entries import Entry
from admin_api.queries.request_log import LoggedRequest
from dashboard.frame import figures
from dashboard.logs.facts import Fact, facts_of, refusal_facts
from dashboard.logs.lines import kind_of
from dashboard.logs.price import Sum, sum_of

WIDTH = 1000  # of the drawing of the timeline
LEAST = 4  # of a bar that would else not be seen
MEANINGS = {
    "api_error": "The provider failed, or answered what makes no sense.",
    "client_closed": "The client hung up before the answer was complete.",
    "overloaded_error": "The provider had no room, or the gateway was about to stop.",
    "process_died": "The gateway's process ended while the request ran. What was reserved for it is counted as used.",
    "rate_limit_error": "A rate limit was met: the gateway's own, or one of the provider.",
    "timeout_error": "The provider did not answer in time.",
    "invalid_request_error": "The request is not one that this model or provider takes.",
    "billing_error": "A spend limit was met, or prepaid credit is used up.",
}


@dataclasses.dataclass(frozen=True)
class Step:
    """`after` is counted from the beginning. `x` and `width` are the place of its bar, `kind` its colour; a moment has
    no width."""

    title: str
    note: str
    after: str
    kind: str = ""
    x: int = 0
    width: int = 0
    first_token_x: int | None = None


@dataclasses.dataclass(frozen=True)
class LogRequest:
    id: str
    attempts: list[Entry]
    refused_by: list[str]
    refused_at: datetime.datetime | None
    facts: list[Fact]
    steps: list[Step]
    sums: list[Sum]

    @property
    def last(self) -> Entry | None:
        return self.attempts[-1] if self.attempts else None

    @property
    def cost(self) -> Decimal:
        return sum((one.cost for one in self.attempts), Decimal(0))

    @property
    def meaning(self) -> str:
        return _meaning(self.last) if self.last else ""

    @property
    def speed(self) -> str:
        """Tokens a second from the first one on, "" where nothing can be said."""
        entry = self.last
        if entry is None or entry.time_to_first_token_ms is None or not entry.output_tokens:
            return ""
        milliseconds = (entry.latency_ms or 0) - entry.time_to_first_token_ms
        if milliseconds <= 0:
            return ""
        return f"{figures.compact(Decimal(entry.output_tokens * 1000) / milliseconds)} tokens a second"

    @property
    def milliseconds(self) -> str:
        """Of the time at which it began: templates know only whole microseconds."""
        return f"{self.began.microsecond // 1000:03}" if self.began else ""

    @property
    def began(self) -> datetime.datetime | None:
        return self.attempts[0].at if self.attempts else self.refused_at


def log_request(id: str, found: LoggedRequest) -> LogRequest:
    """Reads the price versions of the attempts, in one query."""
    blocks = found.refusals
    return LogRequest(
        id=id,
        attempts=found.attempts,
        refused_by=[message_of(block, getattr(block, "group_name", None)) for block in blocks],
        refused_at=blocks[0].at if blocks else None,
        facts=facts_of(found.attempts[-1]) if found.attempts else refusal_facts(blocks[0]),
        steps=_steps(found.attempts) if found.attempts else [],
        sums=sum_of(found.attempts),
    )


def _steps(attempts: list[Entry]) -> list[Step]:
    first, last = attempts[0], attempts[-1]
    whole = max(1, last.latency_ms or 0)
    began = Step("Began", f"{_manner(first)} {first.endpoint}", "0 ms")
    ended = Step("Ended", _end(last), figures.duration(last.latency_ms or 0), kind_of(last.status))
    return [
        began,
        *_entrance(first),
        *(_attempt(one, first, whole) for one in attempts),
        *_first_token(last),
        ended,
    ]


def _entrance(entry: Entry) -> list[Step]:
    """What came before any provider, as far as the ledger knows it; what batches send has been checked before."""
    checked, admitted, steps = entry.checked_ms, entry.admitted_ms, []
    if checked is not None:
        steps.append(Step("Checked", "Key, address and body are right.", figures.duration(checked)))
    if admitted is not None:
        took = figures.duration(max(0, admitted - (checked or 0)))
        room = f"Limits and budgets have room, asking took {took}."
        steps.append(Step("Admitted", room, figures.duration(admitted)))
    return steps


def _manner(entry: Entry) -> str:
    return "Streamed request to" if entry.stream else "Request to"


def _attempt(entry: Entry, first: Entry, whole: int) -> Step:
    """Times of the ledger count from the beginning of the request, so that this is where its bar ends. The first
    attempt has its moment once the request is checked, and asks once it is admitted."""
    since = round((entry.at - first.at).total_seconds() * 1000) + (first.checked_ms or 0)
    after = max(0, since, entry.admitted_ms or 0)
    end = max(after, entry.latency_ms or 0)
    x = min(WIDTH - LEAST, _scaled(after, whole))
    return Step(
        title=f"Asked {entry.provider}",
        note=f"{entry.upstream_model}: {_outcome(entry)}, took {figures.duration(end - after)}",
        after=figures.duration(after),
        kind=kind_of(entry.status),
        x=x,
        width=max(LEAST, min(WIDTH, _scaled(end, whole)) - x),
    )


def _scaled(milliseconds: int, whole: int) -> int:
    return milliseconds * WIDTH // whole


def _outcome(entry: Entry) -> str:
    return f"{entry.status} {entry.error_type}".strip() if entry.failed else f"answered {entry.status}"


def _first_token(entry: Entry) -> list[Step]:
    first = entry.time_to_first_token_ms
    if first is None:
        return []
    return [Step("First token", "The answer began.", figures.duration(first))]


def _end(entry: Entry) -> str:
    if entry.failed:
        return _meaning(entry)
    return f"Stop reason {entry.stop_reason}." if entry.stop_reason else "Answered."


def _meaning(entry: Entry) -> str:
    return MEANINGS.get(entry.error_type, "The provider, or the gateway, refused it.")
