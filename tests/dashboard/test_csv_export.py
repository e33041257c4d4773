"""CSV exports: what a cell looks like, what a spreadsheet must not take for a formula, and that they are streamed."""

from __future__ import annotations

import asyncio
import csv
import datetime
import io
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIRequest
from django.test import RequestFactory

from dashboard.downloads import download
from dashboard.downloads.csv_export import Cell, cell, csv_lines, csv_response

IST = datetime.timezone(datetime.timedelta(hours=5, minutes=30))


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (None, ""),
        ("Server", "Server"),
        (-3, "-3"),
        (Decimal("-0.0000000001"), "-0.0000000001"),
        (Decimal("1E+3"), "1000"),
        (datetime.datetime(2026, 3, 1, 5, 30, tzinfo=IST), "2026-03-01T00:00:00Z"),
        (datetime.datetime(2026, 3, 1, 0, 0, 0, 1500, tzinfo=datetime.UTC), "2026-03-01T00:00:00.001500Z"),
        (datetime.date(2026, 3, 1), "2026-03-01"),
    ],
)
def test_numbers_and_times_are_exact_and_in_utc(value: Cell, written: str) -> None:
    assert cell(value) == written


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "  =1", "＝1", "＠x"],  # noqa: RUF001
)
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


def test_what_a_terminal_would_obey_is_replaced() -> None:
    assert cell("a\x1b[31mb\x07\x9bc") == "a\ufffd[31mb\ufffd\ufffdc"


def test_quotes_commas_and_lines_come_back_as_they_were() -> None:
    rows = [['a "b", c', "two\nlines", 7], ["ü", "", None]]
    text = "".join(csv_lines(["x", "y", "z"], rows))
    assert list(csv.reader(io.StringIO(text, newline=""))) == [
        ["x", "y", "z"],
        ['a "b", c', "two\nlines", "7"],
        ["ü", "", ""],
    ]
    assert text.endswith("\r\n")


def test_a_row_that_does_not_fit_its_header_is_refused() -> None:
    with pytest.raises(ValueError, match="1 cells under 2 names"):
        list(csv_lines(["a", "b"], [["only"]]))


def many(taken: list[int]) -> Iterator[list[Cell]]:
    for number in range(20_000):
        taken.append(number)
        yield [number, "x" * 90]


def test_rows_are_taken_as_they_are_sent() -> None:
    taken: list[int] = []
    answer = csv_response(RequestFactory().get("/"), "usage", ["n", "x"], many(taken))
    first = next(iter(answer.streaming_content))
    assert len(first) < download.PIECE + 200
    assert len(taken) < 1000
    assert answer["content-disposition"] == 'attachment; filename="usage.csv"'
    assert answer["content-type"] == "text/csv; charset=utf-8"


def test_an_asgi_server_gets_the_same_rows_piece_by_piece() -> None:
    async def read() -> list[bytes]:
        scope = {"type": "http", "method": "GET", "path": "/", "headers": [], "query_string": b""}
        answer: Any = csv_response(ASGIRequest(scope, io.BytesIO()), "usage", ["n", "x"], many([]))
        return [piece async for piece in answer.streaming_content]

    pieces = asyncio.run(read())
    assert len(pieces) > 20
    assert b"".join(pieces).decode() == "".join(csv_lines(["n", "x"], many([])))
