"""What a killed supervisor left behind: processes, and folders for sockets."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable
from pathlib import Path

from gateway.supervisor.family import Marked, WorkingIn, end
from gateway.supervisor.private_folder import remove_private_folder

SERVICES = (("prepare",), ("web",), ("worker", "beat"), ("drain",))


def end_leftovers(data_dir: Path, *, postgres: Path, valkey: Path) -> int:
    """End the processes of an earlier stack on `data_dir`, in order; how many there were.

    To PostgreSQL's helpers SIGINT only means to give up the query in hand.
    """
    count = 0
    for names in SERVICES:
        count += end([Marked(data_dir, name) for name in names], signal.SIGTERM, patience=2.0)
    count += end([WorkingIn(valkey, "valkey-server")], signal.SIGTERM, patience=3.0)
    return count + end([WorkingIn(postgres, "postgres")], signal.SIGINT, patience=5.0)


def remember_folder(record: Path, folder: Path) -> None:
    with open(record, "a") as file:
        file.write(f"{folder}\n")


def remove_folders(record: Path, *, owners: Iterable[int]) -> None:
    """Remove the socket folders named in `record`, of which only those still ours go."""
    if record.exists():
        for line in record.read_text().splitlines():
            remove_private_folder(Path(line), frozenset({os.geteuid(), *owners}))
        record.unlink()
