"""`python -m benchmarks.scale`: what the ledger does with fifty million usage events of sixty days in it.

Fills them in, then measures how fast a drain that has one core writes new events from the stream, how long pages,
reports and lists take, how long a day's sums take to be compared with its events, and how long dropping a day does.
Says by the exit status whether everything was answered and every event recorded; a missed target is none of its
business.
"""

from __future__ import annotations

import argparse
import datetime
import os
import random
import shutil
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from pathlib import Path

import msgspec
import psutil
import psycopg
import redis
from rich.console import Console
from rich.table import Table

from benchmarks.archive import Archive
from benchmarks.house import Archives, open_archive
from benchmarks.meter import Cores, seconds_of, with_children
from benchmarks.reports import Page, Timing, pages, table, timing
from gateway import ids
from gateway.metering import partitions
from gateway.metering.event import FIELD, UsageEvent, encode
from gateway.metering.stream import STREAMS
from gateway.shards import shard_of, usage_stream
from gateway.token_usage import TokenUsage

ROWS = int(os.environ.get("SCALE_ROWS", 50_000_000))
DAYS, SENT = 60, 60_000
BYTES_OF_ROW = 850  # with its indexes, its part of the sums, and the log of writing it
PER_SECOND = 2000
PAGE_MS = 150
RANGES = ("1h", "24h", "7d", "30d")
PAGES = (
    *(f"/usage?range={range}" for range in RANGES),
    "/usage?range=30d&group=api_key",
    *(f"/cost?range={range}" for range in RANGES),
    "/limits",
    "/api-keys",
    "/workspaces",
    "/members",
    "/batches",
    "/logs",
    "/logs?status=failed",
    "/playground",
    "/models",
    "/audit-log",
    "/settings",
    "/quickstart",
)
# A stream and what goes into it.
Sent = tuple[str, bytes]

LATEST = Path(__file__).parent / "results" / "scale-latest.json"


class Ingest(msgspec.Struct, frozen=True):
    """`drain` and `postgres` are processor seconds for all events together."""

    events: int
    recorded: int
    seconds: float
    drain: float
    postgres: float


class Scale(msgspec.Struct, frozen=True):
    """`seconds` are of single things, by name."""

    taken_at: str
    rows: dict[str, int]
    ingest: Ingest
    seconds: dict[str, float]
    timings: list[Timing]


def main() -> int:
    options = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 140, highlight=False)
    if options.rows * BYTES_OF_ROW > (free := shutil.disk_usage(tempfile.gettempdir()).free):
        wanted = options.rows * BYTES_OF_ROW // 10**9
        console.print(
            f"{options.rows:,} rows want {wanted} GB of disk, and {free // 10**9} are free: set SCALE_ROWS."
        )
        return 1
    console.print(f"Making {options.rows:,} events of {options.days} days; ten million take some minutes ...")
    wanted = ("--events", str(options.rows), "--days", str(options.days))
    with open_archive("benchmarks.ledger", *wanted) as archives:
        archive = msgspec.json.decode(archives.said, type=Archive)
        console.print("Measuring ...")
        scale = _measured(archives, archive, options)
    options.output.write_bytes(msgspec.json.format(msgspec.json.encode(scale)))
    console.print(_told(scale))
    console.print(table(archive, scale.timings))
    lost = scale.ingest.recorded != scale.ingest.events
    return 1 if lost or any(one.fault for one in scale.timings) else 0


def _measured(archives: Archives, archive: Archive, options: argparse.Namespace) -> Scale:
    with psycopg.connect(archives.environment["DATABASE_URL"], autocommit=True) as connection:
        ingest = _ingest(archives, archive, connection, options.sent)
        timings = list(_timings(archives, archive, options.times))
        seconds = {
            **dict(_questions(connection, archive)),
            "compare a day's sums with its events": _timed(
                lambda: archives.manage("rollup", f"--from={archive.last_day}", f"--to={archive.last_day}")
            ),
            "drop the oldest day": _timed(lambda: _drop(connection, archive.first_day)),
        }
    now = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
    return Scale(now, archive.rows, ingest, seconds, timings)


def _ingest(archives: Archives, archive: Archive, connection: psycopg.Connection, count: int) -> Ingest:
    """From the first event in the stream to the last one acknowledged; a few before let the drain warm up."""
    with (
        archives.drain(Cores.available().gateway) as drain,
        redis.Redis.from_url(archives.environment["REDIS_URL"]) as valkey,
    ):
        _send(valkey, _events(connection, archive, count // 10))
        _wait_until_drained(valkey)
        before, used = _counted(connection), _seconds_used(drain)
        events = list(_events(connection, archive, count))
        began = time.perf_counter()
        _send(valkey, events)
        _wait_until_drained(valkey)
        seconds = time.perf_counter() - began
        mine, theirs = (after - before for after, before in zip(_seconds_used(drain), used, strict=True))
        return Ingest(count, _counted(connection) - before, seconds, mine, theirs)


def _events(connection: psycopg.Connection, archive: Archive, count: int) -> Iterator[Sent]:
    """Of now, from any of those who worked on the last day; half of them with Claude Code."""
    askers = connection.execute(
        "SELECT DISTINCT organization_id, workspace_id, api_key_id FROM usage_day WHERE bucket >= %s",
        [archive.last_day],
    ).fetchall()
    models = connection.execute(
        "SELECT model_name, id FROM gateway_price ORDER BY model_name LIMIT 8"
    ).fetchall()
    chance = random.Random(count)
    for n in range(count):
        event = _event(chance.choice(askers), *chance.choice(models), claude_code=bool(n % 2))
        yield usage_stream(shard_of(event.organization_id)), encode(event)


def _event(asker: tuple[uuid.UUID, str, str], model: str, price: int, *, claude_code: bool) -> UsageEvent:
    organization_id, workspace_id, api_key_id = asker
    return UsageEvent(
        attempt_id=ids.new_attempt_id(),
        request_id=ids.new_request_id(),
        organization_id=organization_id,
        workspace_id=workspace_id,
        api_key_id=api_key_id,
        endpoint="messages",
        model_requested=model,
        model=model,
        provider="anthropic",
        upstream_model=model,
        stream=True,
        status=200,
        usage_source="reported",
        usage=TokenUsage(420, 41_000, 2900, 0, 510),
        latency_ms=5200,
        time_to_first_token_ms=700,
        stop_reason="end_turn",
        inference_geo="global",
        price_version=price,
        user_agent="claude-cli/2.1.332 (external, cli)" if claude_code else "Anthropic/Python 2.11.0",
        session_id=f"session of {api_key_id}" if claude_code else "",
    )


def _send(valkey: redis.Redis, events: Iterable[Sent]) -> None:
    for some in _batched(events, 1000):
        with valkey.pipeline(transaction=False) as commands:
            for stream, payload in some:
                commands.xadd(stream, {FIELD: payload})
            commands.execute()


def _batched(events: Iterable[Sent], size: int) -> Iterator[list[Sent]]:
    rest = iter(events)
    return iter(lambda: list(islice(rest, size)), [])


def _wait_until_drained(valkey: redis.Redis) -> None:
    deadline = time.monotonic() + 300
    while any(valkey.xlen(stream) for stream in STREAMS):
        if time.monotonic() > deadline:
            raise RuntimeError("the drain never emptied the stream")
        time.sleep(0.02)


def _counted(connection: psycopg.Connection) -> int:
    today = datetime.datetime.now(datetime.UTC).date()
    row = connection.execute("SELECT count(*) FROM usage_event WHERE day >= %s", [today]).fetchone()
    return int(row[0]) if row else 0


def _seconds_used(drain: int) -> tuple[float, float]:
    """Processor seconds of the drain and of PostgreSQL so far."""
    everybody = with_children(psutil.Process())
    database = [process for process in everybody if process.name() == "postgres"]
    return seconds_of(psutil.Process(drain)), sum(seconds_of(process) for process in database)


def _timings(archives: Archives, archive: Archive, times: int) -> Iterator[Timing]:
    cookie = {"cookie": f"session={archive.session}"}
    for key in RANGES:
        page = Page(f"page Overview, {key}", f"/?range={key}", PAGE_MS)
        yield timing(archives.port, cookie, page, times)
    for address in PAGES:
        yield timing(archives.port, cookie, Page(f"page {address}", address, PAGE_MS), times)
    for page in pages(archive):
        yield timing(archives.port, {"x-api-key": archive.admin_key}, page, times)


def _questions(connection: psycopg.Connection, archive: Archive) -> Iterator[tuple[str, float]]:
    """What asks the events themselves, of all days at once."""
    organization, day = archive.organization_id, archive.first_day
    found = connection.execute(
        "SELECT request_id FROM usage_event WHERE day = %s AND organization_id = %s LIMIT 1",
        [day, organization],
    ).fetchone()
    assert found is not None
    by_request = "SELECT * FROM usage_event WHERE organization_id = %s AND request_id = %s"
    yield (
        "find a request of the first day",
        _timed(lambda: connection.execute(by_request, [organization, *found])),
    )
    latest = "SELECT * FROM usage_event WHERE organization_id = %s ORDER BY at DESC LIMIT 100"
    yield "list the latest 100 events", _timed(lambda: connection.execute(latest, [organization]))


def _drop(connection: psycopg.Connection, day: datetime.date) -> None:
    with connection.transaction(), connection.cursor() as cursor:
        partitions.drop(cursor, day)


def _timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return round(time.perf_counter() - began, 4)


def _told(scale: Scale) -> Table:
    told = Table("what", "figure", "target", title=f"{scale.rows['usage_event']:,} events")
    ingest, count = scale.ingest, scale.ingest.events
    speed = count / ingest.seconds
    colour = "green" if speed >= PER_SECOND else "red"
    told.add_row("events a second, the drain on one core", f"{speed:,.0f}", f"[{colour}]{PER_SECOND:,}[/]")
    told.add_row("the drain's processor time an event", f"{ingest.drain / count * 1e6:,.0f} us", "")
    told.add_row("PostgreSQL's processor time an event", f"{ingest.postgres / count * 1e6:,.0f} us", "")
    told.add_row("events sent and recorded", f"{count:,} and {ingest.recorded:,}", "equal")
    for name, seconds in scale.seconds.items():
        told.add_row(name, f"{seconds:,.3f} s", "")
    return told


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS, help=f"how many events, or SCALE_ROWS ({ROWS:,})")
    parser.add_argument("--days", type=int, default=DAYS, help=f"of how many days ({DAYS})")
    parser.add_argument("--sent", type=int, default=SENT, help=f"how many events are drained ({SENT:,})")
    parser.add_argument(
        "--times", type=int, default=5, help="how often each page is asked for, after once (5)"
    )
    parser.add_argument("--output", type=Path, default=LATEST, help="where the JSON goes")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
