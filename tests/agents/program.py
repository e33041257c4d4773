"""Runs an agent's own program as a user would, in a home of its own and cut off from everything but the gateway."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from gateway.configuration import PROJECT_DIR

INSTALLED = PROJECT_DIR / ".agents" / "node_modules"
NOWHERE = "http://127.0.0.1:9"  # whatever asks for another host ends at a closed port


def run(
    command: Sequence[str | Path], *, home: Path, folder: Path, settings: dict[str, str], seconds: float = 90
) -> subprocess.CompletedProcess[str]:
    """Run `command` in `folder` with `settings` in its environment; what it printed, and how it ended."""
    assert INSTALLED.is_dir(), "run `make test-agents`, which installs the agents"
    outside = {name: NOWHERE for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy")}
    here = {name: "127.0.0.1,localhost" for name in ("NO_PROXY", "no_proxy")}
    for place in (home, folder):
        place.mkdir(parents=True, exist_ok=True)
    environment = {"PATH": os.environ["PATH"], "HOME": str(home), "LANG": "C.UTF-8", "TERM": "dumb"}
    return subprocess.run(
        [str(word) for word in command],
        cwd=folder,
        env=environment | outside | here | settings,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
