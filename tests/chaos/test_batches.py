"""Batches while workers, web processes and both stores are killed: nothing is lost, and nothing is sent for nothing.

`make test` runs a short seed, `make chaos` many rounds of a thousand items. CHAOS_SEED and CHAOS_ROUNDS choose others.
"""

from __future__ import annotations

import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from tests.chaos.batch_house import FAULTS, OUTPUT_TOKENS, BatchHouse, open_batch_house

SHORT_SEED, SHORT_ITEMS = 5, 200
ITEMS, ROUNDS = 1_000, 50
AT_ONCE = 3  # faults in one round
BEFALLEN_SECONDS = 5.0
ENDED_WITHIN = 150.0


def test_a_batch_outlives_a_few_deaths(scratch: Path) -> None:
    chance = random.Random(SHORT_SEED)
    with open_batch_house(scratch, chance) as house:
        house_faults = [BatchHouse.kill_runner, BatchHouse.kill_postgres, BatchHouse.kill_valkey]
        found = _round(
            house, "short", SHORT_ITEMS, [(0.4 + n / 2, fault) for n, fault in enumerate(house_faults)]
        )
        assert found + _at_rest(house) == []


@pytest.mark.chaos
def test_batches_outlive_every_death(scratch: Path) -> None:
    seed = int(os.environ.get("CHAOS_SEED", "") or time.time())
    rounds = int(os.environ.get("CHAOS_ROUNDS", "") or ROUNDS)
    print(f"\nCHAOS_SEED={seed} CHAOS_ROUNDS={rounds}")
    chance, found = random.Random(seed), []
    with open_batch_house(scratch, chance) as house:
        for number in range(1, rounds + 1):
            planned = sorted(
                (chance.uniform(0.2, BEFALLEN_SECONDS), chance.choice(FAULTS)) for _ in range(AT_ONCE)
            )
            here = _round(house, f"round-{number}", ITEMS, planned)
            found += [f"round {number}: {one}" for one in here]
        found += _at_rest(house)
    assert found == [], f"CHAOS_SEED={seed}"


Planned = list[tuple[float, Callable[[BatchHouse], None]]]


def _round(house: BatchHouse, name: str, items: int, planned: Planned) -> list[str]:
    """What is wrong after a batch of so many items under these faults."""
    told = ", ".join(f"{at:.1f} s {fault.__name__}" for at, fault in planned)
    began = time.monotonic()
    befalling = threading.Thread(target=_befall, args=(house, planned))
    befalling.start()
    batch_id = house.create(name, items)
    befalling.join()
    batch = house.wait_until_ended(batch_id, ENDED_WITHIN)
    sends = house.sends(name)
    again = sum(len(several) - 1 for several in sends.values())
    found = [
        *_wrong_results(house, batch_id, name, items),
        *_wrong_counts(batch["request_counts"], items),
        *_sent_too_often(sends, house.deaths),
        *_wrong_ledger(house, name, sends, items),
    ]
    print(f"{name}: {told}; {time.monotonic() - began:.0f} s, {again} sent again {found or ''}")
    return found


def _befall(house: BatchHouse, planned: Planned) -> None:
    began = time.monotonic()
    for at, fault in planned:
        time.sleep(max(0.0, began + at - time.monotonic()))
        fault(house)


def _wrong_results(house: BatchHouse, batch_id: str, name: str, items: int) -> list[str]:
    results = house.results(batch_id)
    ids = Counter(result["custom_id"] for result in results)
    types = Counter(result["result"]["type"] for result in results)
    wrong = []
    if ids != Counter({f"{name}-{number}": 1 for number in range(items)}):
        wrong.append(f"{len(results)} results of {len(ids)} items instead of {items}")
    # Who was under way at three deaths is given up: few, and they say so.
    if types["succeeded"] < items * 0.97 or set(types) - {"succeeded", "errored"}:
        wrong.append(f"results are {dict(types)}")
    for result in results:
        if result["result"]["type"] == "errored" and "three attempts" not in str(result["result"]):
            wrong.append(str(result))
    return wrong


def _wrong_counts(counts: dict[str, int], items: int) -> list[str]:
    ok = sum(counts.values()) == items and counts["processing"] == 0
    return [] if ok else [f"the counts are {counts}"]


def _sent_too_often(sends: dict[str, list], deaths: list[float]) -> list[str]:  # type: ignore[type-arg]
    """Between two sends of an item a worker has died."""
    wrong = []
    for custom_id, several in sends.items():
        for one, next_one in pairwise(sorted(received.at for received in several)):
            if not any(one - 0.1 <= death <= next_one for death in deaths):
                wrong.append(f"{custom_id} was sent twice within {next_one - one:.2f} s, and no worker died")
        if len(several) > 3:
            wrong.append(f"{custom_id} was sent {len(several)} times")
    return wrong


def _wrong_ledger(house: BatchHouse, name: str, sends: dict[str, list], items: int) -> list[str]:  # type: ignore[type-arg]
    """Each send is a row, told by the provider or closed as unknown."""
    sent = sum(map(len, sends.values()))
    deadline = time.monotonic() + 40
    query = """SELECT count(*), count(*) FILTER (WHERE usage_source = 'reported'),
                      coalesce(sum(output_tokens) FILTER (WHERE usage_source = 'reported'), 0),
                      count(*) FILTER (WHERE service_tier <> 'batch')
                 FROM usage_event WHERE at >= %s"""
    since = house.began[name]
    while True:
        (rows, reported, output, others) = house.rows(query, since)[0]
        if rows >= sent or time.monotonic() > deadline:
            break
        time.sleep(0.3)
    wrong = []
    if rows < sent:
        wrong.append(f"the ledger has {rows} rows of {sent} that were sent")
    if not items * 0.97 <= reported <= sent or output != reported * OUTPUT_TOKENS:
        wrong.append(f"{reported} of {sent} are reported, with {output} tokens")
    return [*wrong, f"{others} rows are not of a batch"] if others else wrong


def _at_rest(house: BatchHouse) -> list[str]:
    """Nothing is left of those who died."""
    deadline = time.monotonic() + 20
    while True:
        runners = house.rows("SELECT id FROM message_batch_runner")
        locks = list((house.stack.data_dir / "run").glob("batch-runner-*"))
        if (not runners and not locks) or time.monotonic() > deadline:
            return [f"runners {runners}, locks {locks}"] if runners or locks else []
        time.sleep(0.5)
