"""What `make test-agents` installs."""

from __future__ import annotations

import json
from pathlib import Path

FOLDER = Path(__file__).parent


def test_the_agents_are_pinned_and_the_lock_file_names_no_registry() -> None:
    pinned = json.loads((FOLDER / "package.json").read_text())["dependencies"]
    lock = (FOLDER / "package-lock.json").read_text()

    installed = json.loads(lock)["packages"]
    assert {name: installed[f"node_modules/{name}"]["version"] for name in pinned} == pinned
    assert "resolved" not in lock
