"""Files of KEY=value lines that only their owner can read."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

from dotenv import dotenv_values

_PLAIN = re.compile(r"[A-Za-z0-9_@%+=:,./-]*")


def read_env(path: Path) -> dict[str, str]:
    """The values of the file, without empty ones; nothing if there is no file."""
    return {name: value for name, value in dotenv_values(path, interpolate=False).items() if value}


def write_env(path: Path, values: Mapping[str, str], *, comment: str) -> None:
    """Replace the file in one step, mode 0600, and see it on the disk before it counts."""
    lines = [f"# {comment}", *(f"{name}={_quoted(value)}" for name, value in values.items())]
    draft = path.with_name(path.name + ".draft")
    draft.unlink(missing_ok=True)
    with open(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write("\n".join(lines) + "\n")
        file.flush()
        os.fsync(file.fileno())
    draft.rename(path)


def _quoted(value: str) -> str:
    """As python-dotenv reads it; a shell too, unless there is a quote or a backslash in it."""
    return value if _PLAIN.fullmatch(value) else "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"
