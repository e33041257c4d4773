"""`python -m benchmarks.reports`: how long the Admin API takes to answer about a month of ten million events.

Every report at its largest pages, ungrouped, by each dimension and by all, and every list at its usual page, asked
one after the other of a web process. Says by the exit status whether every answer was a 200; a missed target is
none of its business.
"""

from __future__ import annotations

import argparse
import datetime
import http.client
import json
import statistics
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import msgspec
from rich.console import Console
from rich.table import Table

from benchmarks.archive import EVENTS, Archive
from benchmarks.house import open_archive

LATEST = Path(__file__).parent / "results" / "reports-latest.json"
REPORT_MS, LIST_MS = 200, 50

DIMENSIONS = (
    *("api_key_id", "workspace_id", "model", "service_tier", "context_window", "inference_geo"),
    *("account_id", "service_account_id"),
)


class Page(msgspec.Struct, frozen=True):
    """One question; `target` is in milliseconds."""

    name: str
    path: str
    target: int


class Timing(msgspec.Struct, frozen=True):
    """Milliseconds from the request to the last byte; `fault` is a status that is not 200."""

    name: str
    median: float
    most: float
    target: int
    results: int
    kilobytes: int
    fault: int | None = None


class Timings(msgspec.Struct, frozen=True):
    taken_at: str
    rows: dict[str, int]
    timings: list[Timing]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reports", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help=f"how many events ({EVENTS:,})")
    parser.add_argument(
        "--times", type=int, default=7, help="how often each page is asked for, after once (7)"
    )
    parser.add_argument("--output", type=Path, default=LATEST, help="where the JSON goes")
    options = parser.parse_args()
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    console.print(f"Making a month of {options.events:,} events; ten million take some minutes ...")
    with open_archive("benchmarks.ledger", "--events", str(options.events)) as archives:
        archive = msgspec.json.decode(archives.said, type=Archive)
        headers = {"x-api-key": archive.admin_key}
        timings = [timing(archives.port, headers, page, options.times) for page in pages(archive)]
    taken_at = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    options.output.write_bytes(
        msgspec.json.format(msgspec.json.encode(Timings(taken_at, archive.rows, timings)))
    )
    console.print(table(archive, timings))
    return 1 if any(one.fault for one in timings) else 0


def pages(archive: Archive) -> Iterator[Page]:
    """The last days are asked for, of which the first was chosen so that the page is full."""
    for width, limit, days in (("1m", 1440, 1), ("1h", 168, 7), ("1d", 31, 30)):
        start = archive.last_day - datetime.timedelta(days=days - 1)
        for grouping in ((), *((name,) for name in DIMENSIONS), DIMENSIONS):
            query = {"starting_at": f"{start}T00:00:00Z", "bucket_width": width, "limit": limit}
            name = f"usage {width} x {limit}, by {_spoken(grouping, DIMENSIONS)}"
            yield _report("usage_report/messages", name, query, grouping)
    both = ("workspace_id", "description")
    for grouping in ((), *((name,) for name in both), both):
        query = {"starting_at": f"{archive.first_day}T00:00:00Z", "limit": 31}
        yield _report("cost_report", f"cost 1d x 31, by {_spoken(grouping, both)}", query, grouping)
    for limit in (20, 1000):
        query = {"starting_at": str(archive.last_day), "limit": limit}
        yield _report("usage_report/claude_code", f"Claude Code, {limit} actors", query, ())
    for path in archive.lists:
        yield Page(f"list {_named(path)}", f"/v1/organizations/{path}", LIST_MS)


def _spoken(grouping: tuple[str, ...], whole: tuple[str, ...]) -> str:
    return "all" if grouping == whole else " ".join(grouping) or "nothing"


def _named(path: str) -> str:
    """Without ids, which say nothing in a table."""
    return "/".join("{id}" if part.startswith("wrkspc_") else part for part in path.split("/"))


def _report(path: str, name: str, query: dict[str, object], group_by: tuple[str, ...]) -> Page:
    asked = [*query.items(), *(("group_by[]", one) for one in group_by)]
    return Page(name, f"/v1/organizations/{path}?{urlencode(asked)}", REPORT_MS)


def timing(port: int, headers: dict[str, str], page: Page, times: int) -> Timing:
    """`times` after once."""
    connection = http.client.HTTPConnection("127.0.0.1", port)
    took = []
    for _ in range(1 + times):
        began = time.perf_counter()
        connection.request("GET", page.path, headers=headers)
        answer = connection.getresponse()
        body = answer.read()
        took.append((time.perf_counter() - began) * 1000)
    connection.close()
    fault = None if answer.status == 200 else answer.status
    return Timing(
        name=page.name,
        median=round(statistics.median(took[1:]), 1),
        most=round(max(took[1:]), 1),
        target=page.target,
        results=_results(body),
        kilobytes=len(body) // 1000,
        fault=fault,
    )


def _results(body: bytes) -> int:
    """How many an answer of the Admin API holds; of a page for people none."""
    if not body.startswith(b"{"):
        return 0
    data = json.loads(body).get("data", [])
    return sum(len(one["results"]) if "results" in one else 1 for one in data)


def table(archive: Archive, timings: list[Timing]) -> Table:
    title = ", ".join(f"{count:,} in {name}" for name, count in archive.rows.items())
    told = Table("page", "median ms", "max ms", "target", "results", "kB", title=title)
    for one in timings:
        colour = "red" if one.fault or one.median > one.target else "green"
        met = f"[{colour}]{'status ' + str(one.fault) if one.fault else one.target}[/]"
        told.add_row(
            one.name, f"{one.median:,.1f}", f"{one.most:,.1f}", met, f"{one.results:,}", f"{one.kilobytes:,}"
        )
    return told


if __name__ == "__main__":
    sys.exit(main())
