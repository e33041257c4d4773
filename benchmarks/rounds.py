"""Loads of several kinds in turns (A B C, A B C, ...), so that a busy neighbour disturbs all of them alike."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable, Sequence

import msgspec

from benchmarks.house import PROJECT, House
from benchmarks.load import Order, Outcome, Quantiles
from benchmarks.meter import QUIET, Use
from benchmarks.script import (
    BURST,
    JSON,
    PACED,
    TRANSLATED_BURST,
    TRANSLATED_JSON,
    TRANSLATED_PACED,
    Script,
)

# Further turns for what was disturbed.
EXTRA_TURNS = 2
# Others' share of the gateway's core is waited out for so many seconds before each round.
PATIENCE = 2.0


class Kind(msgspec.Struct, frozen=True):
    """One sort of load. `direct` goes to the provider without the gateway between."""

    name: str
    script: Script
    connections: int
    direct: bool = False

    @property
    def stagger(self) -> float:
        return self.script.pace * len(self.script.answer)


JSON_1 = Kind("json-1", JSON, 1)
JSON_16 = Kind("json-16", JSON, 16)
JSON_256 = Kind("json-256", JSON, 256)
BURST_16 = Kind("burst-16", BURST, 16)
PACED_64 = Kind("paced-64", PACED, 64)
TRANSLATED_JSON_16 = Kind("translated-json-16", TRANSLATED_JSON, 16)
TRANSLATED_BURST_16 = Kind("translated-burst-16", TRANSLATED_BURST, 16)
TRANSLATED_PACED_64 = Kind("translated-paced-64", TRANSLATED_PACED, 64)
DIRECT_JSON_1 = Kind("direct-json-1", JSON, 1, direct=True)
DIRECT_PACED_64 = Kind("direct-paced-64", PACED, 64, direct=True)
LAST = Kind("to the last", JSON, 16)  # what --full goes on with
KINDS = (
    JSON_16,
    JSON_256,
    BURST_16,
    PACED_64,
    DIRECT_PACED_64,
    JSON_1,
    DIRECT_JSON_1,
    TRANSLATED_JSON_16,
    TRANSLATED_BURST_16,
    TRANSLATED_PACED_64,
)


class Round(msgspec.Struct, frozen=True):
    """What one load came to; `use` tells who used the cores meanwhile.

    `disturbed` is the share that others had of the core that counts: the gateway's, or without it the load's.
    """

    kind: str
    requests: int
    events: int
    seconds: float
    requests_per_second: float
    cpu_ms_per_request: float
    cpu_us_per_event: float
    whole_ms: Quantiles
    first_ms: Quantiles
    use: Use
    disturbed: float
    faults: dict[str, int]

    @property
    def quiet(self) -> bool:
        return self.disturbed <= QUIET


def in_turns(
    house: House,
    kinds: Sequence[Kind],
    *,
    rounds: int,
    seconds: float,
    warm_up: float,
    told: Callable[[Round], None],
) -> list[Round]:
    """`rounds` rounds of every kind after one of `warm_up` seconds that is not counted (none for 0); a few more where
    some were disturbed (but a single round stays single)."""
    for kind in kinds if warm_up else ():
        one_round(house, kind, seconds=warm_up)
    done: list[Round] = []
    for turn in range(rounds + EXTRA_TURNS if rounds > 1 else 1):
        for kind in kinds:
            so_far = [one for one in done if one.kind == kind.name]
            if turn < rounds or sum(one.quiet for one in so_far) < rounds:
                done.append(one_round(house, kind, seconds=seconds))
                told(done[-1])
    return done


def one_round(house: House, kind: Kind, *, seconds: float, most_requests: int = 0) -> Round:
    """One load on a house at rest."""
    house.rest(patience=min(PATIENCE, 2 * seconds))
    order = Order(
        script=kind.script.name,
        port=house.provider_port if kind.direct else house.gateway_port,
        key=house.key,
        connections=kind.connections,
        seconds=seconds,
        worker=house.worker,
        company=house.company,
        cores=[house.cores.gateway, house.cores.rest],
        stagger=kind.stagger,
        most_requests=most_requests,
    )
    outcome = _load(order)
    if not kind.direct:
        house.answered += outcome.requests
    return _round(house, kind, outcome)


def _load(order: Order) -> Outcome:
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.load"],
        cwd=PROJECT,
        input=msgspec.json.encode(order),
        stdout=subprocess.PIPE,
        check=True,
    )
    return msgspec.json.decode(done.stdout, type=Outcome)


def _round(house: House, kind: Kind, outcome: Outcome) -> Round:
    worker = outcome.after.worker - outcome.before.worker
    use = Use.between(outcome.before, outcome.after, house.cores)
    return Round(
        kind=kind.name,
        requests=outcome.requests,
        events=outcome.events,
        seconds=outcome.seconds,
        requests_per_second=outcome.requests / outcome.seconds,
        cpu_ms_per_request=1e3 * worker / max(outcome.requests, 1),
        cpu_us_per_event=1e6 * worker / outcome.events if outcome.events else 0.0,
        whole_ms=outcome.whole_ms,
        first_ms=outcome.first_ms,
        use=use,
        disturbed=use.others_on_load_core if kind.direct else use.others_on_gateway_core,
        faults=outcome.faults,
    )
