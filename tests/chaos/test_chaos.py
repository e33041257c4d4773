"""Faults by a seeded schedule under a mixed load, and what must hold after each round.

`make test` runs a short seed, `make chaos` many rounds. CHAOS_SEED and CHAOS_ROUNDS choose others; a failure names
its seed, which brings the same faults at the same times again.
"""

from __future__ import annotations

import concurrent.futures
import os
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest

from gateway.supervisor.postgres import Postgres
from tests.chaos import invariants
from tests.chaos.arena import Arena, open_arena
from tests.chaos.faults import FAULTS
from tests.chaos.mixed_load import MixedLoad
from tests.chaos.schedule import Planned, rounds

SHORT_SEED, SHORT_ROUNDS, SHORT_SECONDS = 382, 2, 6.0
LONG_SECONDS = 20.0
LEASE_SECONDS = 90.0


@pytest.fixture(scope="module")
def arena(postgres_server: Postgres, scratch_folders: Callable[[str], Path]) -> Iterator[Arena]:
    with open_arena(postgres_server, scratch_folders) as arena:
        yield arena


def test_the_same_seed_brings_the_same_faults() -> None:
    assert list(rounds(5, 4, 20)) == list(rounds(5, 4, 20))
    assert list(rounds(5, 4, 20)) != list(rounds(6, 4, 20))
    befallen = {one.fault for planned in rounds(5, 200, 20) for one in planned}
    assert befallen == {fault for several in FAULTS.values() for fault in several}


def test_a_few_faults_leave_nothing_wrong(arena: Arena) -> None:
    _run(arena, SHORT_SEED, SHORT_ROUNDS, SHORT_SECONDS)


@pytest.mark.chaos
def test_many_faults_leave_nothing_wrong(arena: Arena) -> None:
    seed = int(os.environ.get("CHAOS_SEED", "") or time.time())
    _run(arena, seed, int(os.environ.get("CHAOS_ROUNDS", "") or 20), LONG_SECONDS)
    time.sleep(LEASE_SECONDS)
    assert invariants.findings_at_rest(arena) == []


def test_what_is_wrong_is_found(arena: Arena) -> None:
    with MixedLoad(arena, 1) as load:
        time.sleep(1.5)
    assert invariants.findings(arena, load) == []
    whole = [one.script for one in load.asked if one.kind.name == "stream" and one.outcome == "whole"]
    with psycopg.connect(arena.site.database.url) as connection:
        at = "WHERE session_id = %s"
        connection.execute(
            f"UPDATE usage_event SET output_tokens = output_tokens + 1 {at}".encode(), whole[:1]
        )
        connection.execute(f"UPDATE usage_event SET usage_source = 'guessed' {at}".encode(), whole[1:2])
        connection.execute(
            f"UPDATE usage_event SET api_key_id = 'apikey_of_another' {at}".encode(), whole[2:3]
        )
        connection.execute(f"DELETE FROM usage_event {at}".encode(), whole[3:4])

    found = " ".join(invariants.findings(arena, load, settled_within=0))

    for wrong in (
        f"{whole[0]} at faulty",
        f"{whole[1]} has a row that is guessed",
        f"{whole[2]} is charged to somebody else",
        "1 of",
        "calls have no row",
        "the sums of usage_minute",
        "the sums of usage_hour",
        "the sums of usage_day",
    ):
        assert wrong in found, found


def _run(arena: Arena, seed: int, count: int, length: float) -> None:
    print(f"\nCHAOS_SEED={seed} CHAOS_ROUNDS={count}")
    found: list[str] = []
    for number, planned in enumerate(rounds(seed, count, length), 1):
        print(f"round {number}: {'; '.join(map(str, planned))}")
        load = MixedLoad(arena, seed * 1000 + number)
        began = time.monotonic()
        with load:
            _befall(arena, planned)
            time.sleep(max(0.0, length - (time.monotonic() - began)))
        here = invariants.findings(arena, load)
        outcomes = Counter(asked.outcome for asked in load.asked)
        print(
            f"  {len(load.asked)} requests in {time.monotonic() - began:.0f} s: {dict(outcomes)} {here or ''}"
        )
        found += [f"round {number}: {finding}" for finding in here]
    assert found == [], f"CHAOS_SEED={seed}"


def _befall(arena: Arena, planned: list[Planned]) -> None:
    """All faults of a round, each in a thread of its own, until the last is over."""
    with concurrent.futures.ThreadPoolExecutor(len(planned)) as threads:
        for done in [threads.submit(_one, arena, one) for one in planned]:
            done.result()


def _one(arena: Arena, planned: Planned) -> None:
    time.sleep(planned.at)
    with arena.window(planned.fault.__name__):
        planned.fault(arena, planned.place, planned.seconds)
