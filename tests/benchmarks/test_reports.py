"""`python -m benchmarks.reports` on a tiny month: whether it still runs and every page is answered, not the figures."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec
import pytest

from benchmarks.reports import Timings

PROJECT = Path(__file__).resolve().parents[2]


@pytest.mark.slow
@pytest.mark.long
def test_a_small_month_is_told_on_every_page(tmp_path: Path) -> None:
    file = tmp_path / "timings.json"

    run = subprocess.run(
        [
            *(sys.executable, "-m", "benchmarks.reports"),
            *("--events", "60000", "--times", "1", "--output", str(file)),
        ],
        cwd=PROJECT,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    timed = msgspec.json.decode(file.read_bytes(), type=Timings)
    assert timed.rows["usage_event"] == 60_000
    assert all(one.results > 0 for one in timed.timings if one.name.startswith(("usage", "cost", "Claude")))
    assert {"list users", "list workspaces", "list workspaces/{id}/members"} < {
        one.name for one in timed.timings
    }
