"""Telling the figures: a table for people, JSON for everything else."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path

import msgspec
import psutil
from rich.console import Console
from rich.table import Table

from benchmarks.figures import Figure, Memory, chosen
from benchmarks.rounds import Round

LIBRARIES = ("django", "channels", "uvicorn", "uvloop", "httptools", "httpx", "aiohttp", "hiredis", "msgspec")


class Machine(msgspec.Struct, frozen=True):
    """What it ran on, without names of machines or people."""

    processor: str
    cores: int
    memory_gb: int
    system: str
    python: str
    libraries: dict[str, str]


class Ledger(msgspec.Struct, frozen=True):
    """Answers that the load generator had, and attempts that PostgreSQL holds afterwards: the same number."""

    answered: int
    recorded: int


class Told(msgspec.Struct, frozen=True):
    """A figure as JSON, with its verdict."""

    name: str
    value: float
    unit: str
    target: float | None
    target_is: str | None
    met: bool | None
    note: str


class Report(msgspec.Struct, frozen=True):
    taken_at: str
    machine: Machine
    mode: str
    figures: list[Told]
    memory: Memory
    ledger: Ledger
    faults: dict[str, int]
    rounds: list[Round]


def told(figure: Figure) -> Told:
    bound = None if figure.target is None else "at most" if figure.at_most else "at least"
    return Told(
        figure.name, round(figure.value, 3), figure.unit, figure.target, bound, figure.met, figure.note
    )


def machine() -> Machine:
    return Machine(
        processor=_processor(),
        cores=os.cpu_count() or 0,
        memory_gb=round(psutil.virtual_memory().total / 1e9),
        system=f"{platform.system()} {platform.release().split('-')[0]}",
        python=platform.python_version(),
        libraries={name: importlib.metadata.version(name) for name in LIBRARIES},
    )


def write(report: Report, file: Path) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=2) + b"\n")


def show(report: Report, console: Console) -> None:
    console.print(_figures(report.figures))
    console.print(_rounds(report.rounds))
    ledger = report.ledger
    lost = "" if ledger.answered == ledger.recorded else "  [bold red]These differ.[/]"
    console.print(f"Answers: {ledger.answered:,}; attempts in the ledger: {ledger.recorded:,}.{lost}")
    if disturbed := [kind for kind in _kinds(report.rounds) if not chosen(report.rounds, kind)[0].quiet]:
        names = ", ".join(disturbed)
        console.print(f"[yellow]No quiet round of: {names}. Their least disturbed one was taken.[/]")
    for fault, count in report.faults.items():
        console.print(f"[bold red]Wrong answers: {fault}: {count}[/]")


def _figures(figures: Sequence[Told]) -> Table:
    table = Table("figure", "", title="What the gateway costs", title_justify="left")
    table.columns[1].justify = "right"
    for heading in ("to reach", "", "beside it"):
        table.add_column(heading)
    for one in figures:
        target = "" if one.target is None else f"{one.target_is} {one.target:g} {one.unit}"
        verdict = {True: "[green]met[/]", False: "[red]missed[/]", None: ""}[one.met]
        table.add_row(one.name, f"{_short(one.value)} {one.unit}", target, verdict, one.note)
    return table


def _rounds(rounds: Sequence[Round]) -> Table:
    """Every kind with how its rounds spread, and how disturbed they were."""
    table = Table("load", title="Rounds (those that count)", title_justify="left")
    for heading in (
        "rounds",
        "quiet",
        "requests",
        "CPU ms each",
        "1/s",
        "gateway",
        "others there",
        "other core",
        "others there",
    ):
        table.add_column(heading, justify="right")
    for kind in _kinds(rounds):
        of_kind = [one for one in rounds if one.kind == kind]
        count = chosen(rounds, kind)
        table.add_row(
            kind,
            str(len(of_kind)),
            str(sum(one.quiet for one in of_kind)),
            f"{sum(one.requests for one in count):,}",
            _span([one.cpu_ms_per_request for one in count], "{:.3f}"),
            _span([one.requests_per_second for one in count], "{:,.0f}"),
            _span([one.use.worker for one in count], "{:.0%}"),
            _span([one.use.others_on_gateway_core for one in count], "{:.0%}"),
            _span([one.use.load_core_busy for one in count], "{:.0%}"),
            _span([one.use.others_on_load_core for one in count], "{:.0%}"),
        )
    return table


def _kinds(rounds: Sequence[Round]) -> list[str]:
    return list(dict.fromkeys(one.kind for one in rounds))


def _span(values: Sequence[float], form: str) -> str:
    least, most = form.format(min(values)), form.format(max(values))
    return least if least == most else f"{least} - {most}"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
