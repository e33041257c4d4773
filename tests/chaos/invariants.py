"""What must hold after every round, as findings: an empty list is good."""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg

from tests.chaos.arena import CONCURRENT, RELAYED_MODEL, Arena, ask_as
from tests.chaos.mixed_load import Asked, MixedLoad, Tokens, provider_of
from tests.data_plane.wire import ask
from tests.outages.site import TOKENS
from tests.upstream import Received, events, frames, streamed

SETTLED_SECONDS = 60.0
QUIET_SECONDS = 20.0
GOOD = ("left", "whole", "error frame", *(f"status {one}" for one in (429, 500, 502, 503, 504, 529)))
# In the log of a web process, each of these is a fault of ours.
OURS = (b"request_failed", b"stream_failed", b"Exception in ASGI", b"never retrieved", b"usage_event_lost")
# The provider's connections that are kept, and the stores' in use.
POOLS = 64

SOURCES = {"reported", "estimated", "unknown"}
KEPT_SUMS = ("requests", *TOKENS, "cost")


@dataclass
class Entry:
    """One row of the ledger."""

    attempt_id: str
    script: str
    provider: str
    organization: str
    key: str
    model: str
    source: str
    tokens: Tokens


def findings(arena: Arena, load: MixedLoad, settled_within: float = SETTLED_SECONDS) -> list[str]:
    """After a round: wait for quiet, then look at everything."""
    calls = _calls(arena, load)
    entries = _settled(arena, load, calls, settled_within)
    return [
        *_of_answers(arena, load),
        *_of_calls(calls, entries),
        *_of_entries(arena, load, entries),
        *_of_rollups(arena),
        *_of_processes(arena, POOLS),
        *_of_logs(arena),
    ]


def findings_at_rest(arena: Arena) -> list[str]:
    """A while after the last request: nothing is held any more."""
    return [*_of_processes(arena, 2), *_of_slots(arena)]


def _of_answers(arena: Arena, load: MixedLoad) -> list[str]:
    """Everybody was answered, or told, save clients of a process that was killed."""
    bad = Counter(
        f"a {asked.kind.name} had: {asked.outcome}"
        for asked in load.asked
        if asked.outcome not in GOOD
        and asked.port not in arena.deaths
        and not arena.during("provider_corrupts", asked.began, asked.ended)
    )
    return [f"{what} ({count} times)" for what, count in bad.items()]


def _calls(arena: Arena, load: MixedLoad) -> dict[tuple[str, str], list[Received]]:
    """The provider's truth by script and provider."""
    scripts = {asked.script for asked in load.asked}
    calls: dict[tuple[str, str], list[Received]] = defaultdict(list)
    for request in list(arena.site.house.upstream.log):
        if request.script in scripts:
            calls[request.script, provider_of(request)].append(request)
    return calls


def _settled(
    arena: Arena, load: MixedLoad, calls: dict[tuple[str, str], list[Received]], within: float
) -> list[Entry]:
    """The ledger's rows of this load, once every call has one, or its time is over."""
    deadline = time.monotonic() + within
    while True:
        entries = _entries(arena, load)
        if calls.keys() <= {(one.script, one.provider) for one in entries}:
            time.sleep(0.5)  # a doubled row would come now
            return _entries(arena, load)
        if time.monotonic() > deadline:
            return entries
        time.sleep(0.2)


def _of_calls(calls: dict[tuple[str, str], list[Received]], entries: Sequence[Entry]) -> list[str]:
    """Every call of a provider has exactly one row."""
    rows = Counter((entry.script, entry.provider) for entry in entries)
    lost = [call for call in calls if rows[call] == 0]
    twice = [call for call, count in rows.items() if count > 1]
    asked_twice = [call for call, requests in calls.items() if len(requests) > 1]
    found = []
    for what, several in (("no row", lost), ("two rows", twice), ("been sent twice", asked_twice)):
        if several:
            found.append(f"{len(several)} of {len(calls)} calls have {what}: {several[:3]}")
    if len({entry.attempt_id for entry in entries}) < len(entries):
        found.append("an attempt is in the ledger twice")
    return found


def _of_entries(arena: Arena, load: MixedLoad, entries: Sequence[Entry]) -> list[str]:
    """Rows belong to who asked, and what they say was reported is what the provider reported."""
    by_script = {asked.script: asked for asked in load.asked}
    wrong = [
        problem for entry in entries if (problem := _wrong(arena, by_script[entry.script], entry)) is not None
    ]
    return wrong[:5]


def _wrong(arena: Arena, asked: Asked, entry: Entry) -> str | None:
    owner = (asked.tenant.id, asked.tenant.key_id, asked.kind.model)
    if (entry.organization, entry.key, entry.model) != owner:
        return f"{entry.script} is charged to somebody else"
    if entry.source not in SOURCES:
        return f"{entry.script} has a row that is {entry.source}"
    if entry.source != "reported" or arena.during("provider_corrupts", asked.began, asked.ended):
        return None  # flipped bits may have made other figures of the provider's
    expected = asked.reported(entry.provider)
    if entry.tokens not in (expected, (0, 0, 0, 0, 0)):
        return f"{entry.script} at {entry.provider}: {entry.tokens}, and {expected} were reported"
    if entry.tokens != expected and asked.outcome == "whole":
        return f"{entry.script} at {entry.provider}: nothing, and {expected} were reported"
    return None


def _of_rollups(arena: Arena) -> list[str]:
    """The sums of minutes, hours and days are those of the events."""
    groups = "organization_id, workspace_id, api_key_id, model, provider"
    sums = ", ".join(f"sum({name})" for name in KEPT_SUMS)
    events_sums = ", ".join(["count(*)", *(f"sum({name})" for name in KEPT_SUMS[1:])])
    with psycopg.connect(arena.site.database.url) as connection:
        wanted = connection.execute(
            f"SELECT {groups}, {events_sums} FROM usage_event GROUP BY {groups} ORDER BY {groups}".encode()
        ).fetchall()
        return [
            f"the sums of {table} are not those of the events"
            for table in ("usage_minute", "usage_hour", "usage_day")
            if connection.execute(
                f"SELECT {groups}, {sums} FROM {table} GROUP BY {groups} ORDER BY {groups}".encode()
            ).fetchall()
            != wanted
        ]


def _of_processes(arena: Arena, slack: int) -> list[str]:
    """Nothing is open, and descriptors and tasks are back where they began."""
    deadline = time.monotonic() + QUIET_SECONDS
    while (found := _held(arena, slack)) and time.monotonic() < deadline:
        time.sleep(0.5)
    return found


def _held(arena: Arena, slack: int) -> list[str]:
    found = []
    for place, figures in arena.web.figures().items():
        held = {
            "open exchanges": (figures["gateway_open_exchanges"], 0),
            "tasks": (figures["gateway_tasks"], arena.tasks + slack),
            "descriptors": (arena.web.process(place).num_fds(), arena.descriptors + slack),
        }
        found += [
            f"web {place} has {value:g} {name}, at most {most} are right"
            for name, (value, most) in held.items()
            if value > most
        ]
    return found


def _of_logs(arena: Arena) -> list[str]:
    lines = [line for log in arena.site.folder.glob("web-*.log") for line in log.read_bytes().splitlines()]
    ours = [line for line in lines if any(word in line for word in OURS)]
    return [f"{len(ours)} faults of ours in the log: {ours[0][:800]!r}"] if ours else []


def _of_slots(arena: Arena) -> list[str]:
    """Every tenant has all its places: so many streams at once are let in."""
    script = arena.site.house.upstream.script(streamed(frames(events()), delay=0.15))

    async def all_at_once(raw: bytes) -> list[int]:
        answers = await asyncio.gather(*(ask(arena.web.port, raw, 30) for _ in range(CONCURRENT)))
        return [answer.status for answer in answers]

    found = []
    for tenant in arena.tenants:
        raw = ask_as(arena, tenant, script, RELAYED_MODEL, stream=True)
        statuses = Counter(asyncio.run(all_at_once(raw)))
        if statuses != {200: CONCURRENT}:
            found.append(f"of {CONCURRENT} places of {tenant.name} not all are free: {dict(statuses)}")
    return found


def _entries(arena: Arena, load: MixedLoad) -> list[Entry]:
    columns = "attempt_id::text, session_id, provider, organization_id::text, api_key_id, model, usage_source"
    query = f"SELECT {columns}, {', '.join(TOKENS)} FROM usage_event WHERE session_id = ANY(%s)"
    with psycopg.connect(arena.site.database.url) as connection:
        rows = connection.execute(query.encode(), [[asked.script for asked in load.asked]]).fetchall()
    return [Entry(*row[:7], tuple(row[7:])) for row in rows]
