"""`python -m benchmarks.scale` on a small ledger: every event is recorded and every page answered; no figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.scale import PAGES, RANGES, Scale

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
def test_a_small_ledger_takes_new_events_and_answers_on_every_page(tmp_path: Path) -> None:
    file = tmp_path / "scale.json"

    run = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.scale", "--rows", "20000", "--days", "10"),
            *("--sent", "2000", "--times", "1", "--output", str(file)),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    scale = msgspec.json.decode(file.read_bytes(), type=Scale)
    assert scale.rows["usage_event"] == 20_000
    assert (scale.ingest.events, scale.ingest.recorded) == (2000, 2000)
    assert sum(one.name.startswith("page") for one in scale.timings) == len(RANGES) + len(PAGES)
    assert all(one.fault is None for one in scale.timings)


def test_a_disk_that_is_too_small_is_told_before_anything_is_made() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.scale", "--rows", str(10**12)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert run.returncode == 1
    assert "set SCALE_ROWS" in run.stdout
