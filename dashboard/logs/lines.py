"""A line of the logs as it is drawn."""

from __future__ import annotations

import dataclasses

from admin_api.queries.log_entries import Entry
from dashboard.frame import figures

CLIENT_GONE = 499


@dataclasses.dataclass(frozen=True)
class Line:
    """`kind` is the badge's; notes are second lines, and empty where there is nothing to add."""

    entry: Entry

    @property
    def kind(self) -> str:
        return kind_of(self.entry.status)

    @property
    def outcome(self) -> str:
        """For ears: a number alone says little."""
        if self.entry.refused:
            return "Refused by a limit"
        return self.entry.error_type if self.entry.failed else ""

    @property
    def served(self) -> str:
        """The model that answered, where it is not the one that was asked for."""
        entry = self.entry
        return entry.model if entry.model != entry.model_requested else ""

    @property
    def key(self) -> str:
        return self.entry.key_name or self.entry.api_key_id

    @property
    def order(self) -> str:
        """Grows with the time, as text."""
        return f"{round(self.entry.at.timestamp() * 1000):015}"

    @property
    def tokens(self) -> str:
        return f"{figures.compact(self.entry.input_total)} / {figures.compact(self.entry.output_tokens)}"

    @property
    def exact_tokens(self) -> str:
        return f"{figures.count(self.entry.input_total)} in, {figures.count(self.entry.output_tokens)} out"

    @property
    def cost(self) -> str:
        return figures.money(self.entry.cost)

    @property
    def exact_cost(self) -> str:
        return figures.exact_money(self.entry.cost)

    @property
    def cached(self) -> str:
        """How much of the prompt came from a cache."""
        read = self.entry.cache_read_tokens
        return f"{figures.percent(read, self.entry.input_total)} cached" if read else ""

    @property
    def total_time(self) -> str:
        return "" if self.entry.latency_ms is None else figures.duration(self.entry.latency_ms)

    @property
    def first_token_time(self) -> str:
        first = self.entry.time_to_first_token_ms
        return "none" if first is None else figures.duration(first)

    @property
    def first_token(self) -> str:
        return "" if self.entry.time_to_first_token_ms is None else f"first {self.first_token_time}"

    @property
    def stop(self) -> str:
        return self.entry.stop_reason

    @property
    def manner(self) -> str:
        if self.entry.stream is None:
            return ""
        return "streamed" if self.entry.stream else "in one piece"

    @property
    def tries(self) -> str:
        return f"try {self.entry.attempt}" if self.entry.attempt > 1 else ""


def kind_of(status: int) -> str:
    if status < 400:
        return "good"
    return "warn" if status in (402, 429, CLIENT_GONE) else "bad"
