"""`python -m benchmarks`: measure, tell, and say by the exit status whether the gateway answered rightly.

A missed target is no failure of the run (a busy machine misses them too); a wrong answer is, and so is a
ledger that does not hold exactly what was answered.
"""

from __future__ import annotations

import argparse
import datetime
import signal
import sys
from collections import Counter
from pathlib import Path

from rich.console import Console

from benchmarks.figures import Memory, figures
from benchmarks.house import House, open_house
from benchmarks.meter import memory_mb
from benchmarks.profile import profile
from benchmarks.report import Ledger, Report, machine, show, told, write
from benchmarks.rounds import KINDS, LAST, Round, in_turns, one_round

LATEST = Path(__file__).parent / "results" / "latest.json"
FULL_REQUESTS = 100_000


def main() -> int:
    options = _arguments()
    console = Console(width=None if sys.stdout.isatty() else 160, highlight=False)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended by SIGTERM"))
    if options.profile:
        profile(options.profile, seconds=options.seconds, say=console.print)
        return 0
    console.print("Starting PostgreSQL, Valkey, the drain, a scripted provider and one web process ...")
    with open_house() as house:
        report = _measure(house, options, console)
    show(report, console)
    write(report, options.output)
    console.print(f"Written to {options.output}")
    return 1 if report.faults or report.ledger.answered != report.ledger.recorded else 0


def _measure(house: House, options: argparse.Namespace, console: Console) -> Report:
    at_start = memory_mb(house.worker)
    done = in_turns(
        house,
        KINDS,
        rounds=options.rounds,
        seconds=options.seconds,
        warm_up=options.warm_up,
        told=lambda one: console.print(_line(one)),
    )
    if options.full:
        console.print(f"Going on to {FULL_REQUESTS:,} requests, for the memory they leave behind ...")
        left = max(1, FULL_REQUESTS - house.answered)
        done.append(one_round(house, LAST, seconds=600, most_requests=left))
    memory = Memory(at_start, memory_mb(house.worker), house.answered)
    faults: Counter[str] = Counter()
    for one in done:
        faults.update(one.faults)
    return Report(
        taken_at=datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        machine=machine(),
        mode=f"{options.rounds} rounds of {options.seconds:g} s{', full' if options.full else ''}",
        figures=[told(figure) for figure in figures(done, memory)],
        memory=memory,
        ledger=Ledger(house.answered, house.recorded(house.answered)),
        faults=dict(faults),
        rounds=done,
    )


def _line(one: Round) -> str:
    disturbed = "" if one.quiet else f"  [yellow]disturbed: others had {one.disturbed:.0%}[/]"
    cpu = f"{one.cpu_ms_per_request:.3f} CPU-ms each" if one.use.worker > 0.02 else ""
    return f"  {one.kind:<16}{one.requests_per_second:>8,.0f}/s  {cpu}{disturbed}"


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="counted rounds of each kind (3)")
    parser.add_argument("--seconds", type=float, default=3.0, help="how long a round is (3)")
    parser.add_argument(
        "--warm-up", type=float, default=0.5, metavar="SECONDS", help="an uncounted round before, or 0 (0.5)"
    )
    parser.add_argument(
        "--full", action="store_true", help=f"go on to {FULL_REQUESTS:,} requests for the memory"
    )
    parser.add_argument("--output", type=Path, default=LATEST, help="where the JSON goes")
    parser.add_argument(
        "--profile",
        choices=[kind.name for kind in KINDS if not kind.direct],
        help="instead of measuring, show where the web process spends its time under this load",
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
