"""What came of a check, as a table for people or as one JSON object a line for programs."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import TextIO

import msgspec
from rich import box
from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from gateway.provider_check.failure import Failure
from gateway.provider_check.plan import Place
from gateway.provider_check.trial import Answer, Outcome

NO_KEY = "none"
UNKNOWN = "-"
WIDEST = 100_000  # columns


class TableReport:
    """Told as `check.Report`. Shows what it was told when its `with` ends, however that ends, and until then on a
    terminal what is being waited for.

    `keys` are what keys are called, by their id.
    """

    def __init__(self, out: TextIO, keys: Mapping[str, str], *, no_color: bool = False) -> None:
        self.outcomes: list[Outcome] = []
        self._keys = keys
        self._console = Console(file=out, highlight=False, no_color=no_color or None)
        self._status = self._console.status("")

    def __enter__(self) -> TableReport:
        self._status.start()
        return self

    def __exit__(self, *problem: object) -> None:
        self._status.stop()
        if self.outcomes:
            self._show()

    def begins(self, place: Place, *, stream: bool) -> None:
        key = _key(place, self._keys)
        self._status.update(Text(f"{_model(place)}, key {key}, {_way(stream)}"))

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    def _show(self) -> None:
        """In a pipe each call is one line, for grep; a terminal that a table does not fit into gets lines."""
        table = _table(self.outcomes, self._keys)
        least, most = self._console.measure(table, options=self._console.options.update(width=WIDEST))
        if not self._console.is_terminal:
            self._console.width = most
        narrow = least > self._console.width
        self._console.print(_lines(self.outcomes, self._keys) if narrow else table)


class JsonReport:
    """The same, one object a line as soon as a call has ended; times are in milliseconds."""

    def __init__(self, out: TextIO, keys: Mapping[str, str]) -> None:
        self.outcomes: list[Outcome] = []
        self._out = out
        self._keys = keys

    def __enter__(self) -> JsonReport:
        return self

    def __exit__(self, *problem: object) -> None:
        """Everything is written."""

    def begins(self, place: Place, *, stream: bool) -> None:
        """Only what has ended is told."""

    def ended(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)
        self._out.write(msgspec.json.encode(line(outcome, self._keys)).decode() + "\n")
        self._out.flush()


def line(outcome: Outcome, keys: Mapping[str, str]) -> dict[str, object]:
    """A call for programs; times are in milliseconds. `keys` are what keys are called, by their id."""
    place = outcome.place
    told = {
        "model": place.model.name,
        "upstream_model": place.target.upstream_model,
        "key": _key(place, keys),
        "stream": outcome.stream,
        "ok": isinstance(outcome.result, Answer),
        "first_ms": _ms(outcome.first),
        "total_ms": _ms(outcome.total),
    }
    return told | msgspec.structs.asdict(outcome.result)


def _table(outcomes: list[Outcome], keys: Mapping[str, str]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False, show_edge=False)
    for name in ("model", "key", "call"):
        table.add_column(name, no_wrap=True)
    for name in ("first ms", "total ms", "in", "out"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("result", overflow="fold", min_width=30)
    for outcome in outcomes:
        plain = (
            _model(outcome.place),
            _key(outcome.place, keys),
            _way(outcome.stream),
            _number(_ms(outcome.first)),
            _number(_ms(outcome.total)),
            *_tokens(outcome.result),
        )
        kind, words = _told(outcome.result)
        table.add_row(*(Text(cell) for cell in plain), Text.assemble(kind, words and f": {words}"))
    return table


def _lines(outcomes: list[Outcome], keys: Mapping[str, str]) -> Group:
    """The same below a heading for each place."""
    parts: list[RenderableType] = []
    for place, calls in itertools.groupby(outcomes, key=lambda outcome: outcome.place):
        parts.append(Text(f"{_model(place)}, key {_key(place, keys)}", style="bold", overflow="fold"))
        grid = Table.grid(padding=(0, 1, 0, 0))
        grid.add_column(no_wrap=True)
        grid.add_column(overflow="fold")
        for call in calls:
            kind, words = _told(call.result)
            grid.add_row(
                Text(f"  {_way(call.stream)}"), Text.assemble(kind, _figures(call), words and f": {words}")
            )
        parts.append(grid)
    return Group(*parts)


def _figures(outcome: Outcome) -> str:
    first = f" (first {_ms(outcome.first)})" if outcome.first is not None else ""
    told = f", {_ms(outcome.total)} ms{first}"
    if isinstance(outcome.result, Failure):
        return told
    sent, came = _tokens(outcome.result)
    return f"{told}, {sent} in, {came} out"


def _told(result: Answer | Failure) -> tuple[Text, str]:
    """How it went, in a word or two, and what the provider said."""
    if isinstance(result, Failure):
        kind = result.kind if result.status is None else f"{result.status} {result.kind}"
        return Text(kind, style="bold red"), result.message
    silent = f"no text, stopped by {result.stop_reason or 'nothing'}"
    return Text("ok", style="bold green"), result.text or silent


def _model(place: Place) -> str:
    """The name in the catalog and, where it is another, the provider's."""
    here, there = place.model.name, place.target.upstream_model
    return here if here == there else f"{here} ({there})"


def _key(place: Place, keys: Mapping[str, str]) -> str:
    key_id = place.target.key_id
    return keys.get(key_id, f"#{key_id}") if key_id else NO_KEY


def _way(stream: bool) -> str:
    return "stream" if stream else "JSON"


def _tokens(result: Answer | Failure) -> tuple[str, str]:
    """Of input and of output."""
    if isinstance(result, Failure):
        return UNKNOWN, UNKNOWN
    mark = "~" if result.estimated else ""
    told = (result.input_tokens, result.output_tokens)
    sent, came = (UNKNOWN if count is None else f"{mark}{count}" for count in told)
    return sent, came


def _number(number: int | None) -> str:
    return UNKNOWN if number is None else str(number)


def _ms(seconds: float | None) -> int | None:
    return None if seconds is None else round(seconds * 1000)
