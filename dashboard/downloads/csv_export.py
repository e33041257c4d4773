"""CSV files of what a page shows: streamed, never held whole, and safe to open in a spreadsheet.

RFC 4180 in UTF-8. Times are ISO 8601 in UTC, money has every digit, absent values are empty. Text that a spreadsheet
would take for a formula gets an apostrophe before it, which spreadsheets do not show; control characters, which a
terminal would obey, become U+FFFD.
"""

from __future__ import annotations

import csv
import datetime
import re
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal

from django.http import HttpRequest, StreamingHttpResponse

from dashboard.downloads.download import download

Cell = str | int | Decimal | datetime.datetime | datetime.date | None

_FORMULA = re.compile(r"\s*[=+\-@＝＋－＠]|[\t\r\n]")  # noqa: RUF001  full-width signs count too
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


def csv_response(
    request: HttpRequest, name: str, header: Sequence[str], rows: Iterable[Sequence[Cell]]
) -> StreamingHttpResponse:
    """A download called `name`.csv. `rows` are taken as they are sent: give a generator over what is large."""
    return download(request, f"{name}.csv", "text/csv; charset=utf-8", csv_lines(header, rows))


def csv_lines(header: Sequence[str], rows: Iterable[Sequence[Cell]]) -> Iterator[str]:
    """Each line with its end. Raises `ValueError` for a row of another length than the header."""
    writer = csv.writer(_Line())
    yield writer.writerow(header)
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} cells under {len(header)} names")
        yield writer.writerow([cell(value) for value in row])


def cell(value: Cell) -> str:
    """As it stands in the file, before quotes."""
    match value:
        case None:
            return ""
        case str():
            return _text(value)
        case Decimal():
            return f"{value:f}"
        case datetime.datetime():
            return value.astimezone(datetime.UTC).isoformat().replace("+00:00", "Z")
        case datetime.date():
            return value.isoformat()
    return str(value)


def _text(value: str) -> str:
    shown = _CONTROL.sub("\ufffd", value)
    return f"'{shown}" if _FORMULA.match(shown) else shown


class _Line:
    """What `csv.writer` writes to: it hands the line back."""

    def write(self, line: str) -> str:
        return line
