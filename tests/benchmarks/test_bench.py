"""`python -m benchmarks` in its smallest form: whether it still runs and still tells the truth, not the figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.report import Report
from benchmarks.rounds import KINDS

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.long
def test_a_short_benchmark_tells_every_figure_and_every_answer_is_in_the_ledger(tmp_path: Path) -> None:
    file = tmp_path / "report.json"

    run = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks", "--rounds", "1", "--seconds", "0.2", "--warm-up", "0"),
            *("--output", str(file)),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    report = msgspec.json.decode(file.read_bytes(), type=Report)
    assert report.faults == {}
    assert {one.kind for one in report.rounds} == {kind.name for kind in KINDS}
    assert all(one.requests > 0 for one in report.rounds)
    assert all(one.cpu_ms_per_request > 0.05 for one in report.rounds if one.kind == "json-16")
    assert report.ledger.recorded == report.ledger.answered > 0
    assert [one.name for one in report.figures if one.target is not None and one.met is None] == []
    assert "CPU a request" in run.stdout
