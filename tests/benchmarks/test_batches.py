"""`python -m benchmarks.batches` with few items: whether it still runs and still tells the truth, not the figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.batches import Run

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.long
def test_a_small_batch_tells_every_figure_and_every_item_is_in_the_ledger(tmp_path: Path) -> None:
    file = tmp_path / "report.json"

    run = subprocess.run(
        [sys.executable, "-m", "benchmarks.batches", "--items", "500", "--output", str(file)],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    report = msgspec.json.decode(file.read_bytes(), type=Run)
    assert report.items == report.answered == report.recorded == 500
    assert 5 <= report.statements < 100
    assert report.worker > 0.05
    assert len(report.live_before) > 50
    assert "CPU an item" in run.stdout
