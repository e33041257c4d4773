"""Where the database files and the binaries of the embedded PostgreSQL lie, and which user runs it.

Normally in `DATA_DIR/postgres` and in the virtual environment, as ourselves. Root runs it as a system user,
and where that user cannot reach those (a 0700 home, /root), files go where it can: no folder above
DATA_DIR is opened for it.
"""

from __future__ import annotations

import hashlib
import os
import secrets
import shutil
from dataclasses import dataclass
from pathlib import Path

from gateway.supervisor.postgres import MAJOR, wheel_binaries
from gateway.supervisor.problem import StartProblem
from gateway.supervisor.system_user import SystemUser, postgres_user

ELSEWHERE = (Path("/var/lib/gateway"), Path("/srv/gateway"), Path("/opt/gateway"))


@dataclass(frozen=True, kw_only=True)
class DatabasePlace:
    """`notes` tell the operator, one line each, what is not where it would be looked for."""

    data: Path
    binaries: Path
    user: SystemUser | None
    notes: tuple[str, ...] = ()


def find_place(data_dir: Path) -> DatabasePlace:
    """Decide the place, make the folders above it, and copy the binaries if they cannot stay."""
    pointer = data_dir / "postgres.location"
    usual = Path(pointer.read_text().strip()) if pointer.exists() else data_dir / "postgres"
    user = postgres_user(usual)
    if user is None:
        return DatabasePlace(data=_own(usual), binaries=wheel_binaries(), user=None)

    binaries, notes = wheel_binaries(), [f"PostgreSQL runs as the system user {user.name}."]
    if not user.can(binaries / "postgres", "--version"):
        binaries = _copied_binaries(binaries, user)
        notes.append(
            f"Its programs were copied to {binaries.parent}: {user.name} cannot enter their own folder."
        )
    if usual.parent == data_dir and not user.can("/bin/sh", "-c", 'test -x "$0"', data_dir):
        usual = _folder_for(data_dir, user)
        pointer.write_text(f"{usual}\n")
    if usual.parent != data_dir:
        notes.append(f"Its files are in {usual}, since {user.name} cannot enter {data_dir}.")
    return DatabasePlace(data=usual, binaries=binaries, user=user, notes=tuple(notes))


def _own(data: Path) -> Path:
    if data.exists() and not os.access(data, os.R_OK | os.W_OK | os.X_OK):
        raise StartProblem(
            f"The database in {data} belongs to another user: start the gateway as the user (or root) who "
            f"started it first, or choose another DATA_DIR."
        )
    return data


def _folder_for(data_dir: Path, user: SystemUser) -> Path:
    """A new place outside DATA_DIR. Its name has a random part, so that a DATA_DIR that was removed and made
    again does not meet the old one's database."""
    key = hashlib.sha256(os.fsencode(data_dir)).hexdigest()[:16]
    folder = _reachable_base(user) / "data" / f"{key}-{secrets.token_hex(4)}"
    folder.mkdir(parents=True)
    _open(folder.parent, folder)
    return folder / "postgres"


def _copied_binaries(binaries: Path, user: SystemUser) -> Path:
    """Copy what the server needs, keeping the layout: programs find their libraries by relative paths."""
    package = binaries.parent.parent
    libraries = package.with_name(package.name + ".libs")
    state = (binaries / "postgres").stat()
    key = f"postgresql-{MAJOR}-{state.st_size:x}-{int(state.st_mtime):x}"
    target = _reachable_base(user) / key
    copied = target / package.name / binaries.parent.name / "bin"
    if target.exists():
        return copied
    draft = target.with_name(f"{key}.{secrets.token_hex(4)}")
    for part in ("bin", "lib/postgresql", "share"):
        shutil.copytree(
            binaries.parent / part, draft / package.name / binaries.parent.name / part, symlinks=True
        )
    shutil.copytree(libraries, draft / libraries.name, symlinks=True)
    _open(*draft.rglob("*"), draft)
    draft.rename(target)
    return copied


def _reachable_base(user: SystemUser) -> Path:
    for base in ELSEWHERE:
        try:
            base.mkdir(exist_ok=True)
            _open(base)
        except OSError:
            continue
        if user.can("/bin/sh", "-c", 'test -x "$0"', base):
            return base
    raise StartProblem(
        f"PostgreSQL may not run as root, and its user {user.name} can enter neither DATA_DIR nor "
        f"{', '.join(str(base) for base in ELSEWHERE)}: run as an ordinary user, or set DATABASE_URL."
    )


def _open(*paths: Path) -> None:
    """Let everyone enter and read these folders and run these programs, whatever umask we have."""
    for path in paths:
        if not path.is_symlink():
            path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
