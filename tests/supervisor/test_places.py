"""DATA_DIR where users put it: a long path, spaces, a closed home, as root and as an ordinary user."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gateway.configuration import PROJECT_DIR
from gateway.supervisor import database_place
from gateway.supervisor.database_place import find_place
from gateway.supervisor.postgres import Postgres, wheel_binaries
from gateway.supervisor.system_user import SystemUser, run_as
from tests.stack import Stack

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
NOBODY = SystemUser("nobody", 65534, 65534)
LONG = "a folder whose name is long and holds spaces " * 4


@pytest.fixture
def elsewhere(scratch: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The place for what does not fit into DATA_DIR, in this test's folder instead of /var/lib."""
    monkeypatch.setattr(database_place, "ELSEWHERE", (scratch / "elsewhere",))
    return scratch / "elsewhere"


@pytest.fixture
def closed_home(scratch: Path) -> Iterator[Path]:
    home = scratch / "home"
    home.mkdir(mode=0o700)
    yield home
    assert (home.stat().st_mode & 0o777, scratch.stat().st_mode & 0o777) == (0o700, 0o711)


@pytest.mark.slow
@as_root
def test_an_ordinary_user_runs_it_in_a_long_path_with_spaces_under_a_closed_home(closed_home: Path) -> None:
    python, packages = _python_of_an_ordinary_user()
    os.chown(closed_home, NOBODY.uid, NOBODY.gid)
    become = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    home = {"HOME": str(closed_home), "PYTHONPATH": packages, "GATEWAY_WEB_PROCESSES": "2"}
    stack = Stack(closed_home / LONG / ".data", prefix=become, python=python, extra=home)

    stack.start()
    answer = stack.ask()
    webs = [child.environ()["GATEWAY_CHILD"] for child in _children_named(stack, "gateway.warm_server")]
    users = {process.uids().real for process in stack.processes()}
    status, _ = stack.stop()

    assert (answer.status_code, users, status) == (200, {65534}, 0)
    assert sorted(webs) == ["web-1", "web-2"]
    assert (stack.data_dir / "postgres" / "PG_VERSION").exists()
    assert "system user" not in stack.output


@pytest.mark.slow
@as_root
def test_root_with_a_closed_home_keeps_the_database_elsewhere_and_says_so(closed_home: Path) -> None:
    stack = Stack(closed_home / ".data")

    stack.start()
    answer, key = stack.ask(), stack.api_key
    stack.stop()
    place = Path((stack.data_dir / "postgres.location").read_text().strip())

    assert (answer.status_code, stack.api_key) == (200, key)
    assert find_place(stack.data_dir).data == place, "the next start looks there"
    assert f"Its files are in {place}, since" in stack.output
    assert place.is_relative_to("/var/lib/gateway") and (place / "PG_VERSION").exists()
    shutil.rmtree(place.parent)


@as_root
def test_programs_that_the_system_user_cannot_reach_are_copied_and_work(
    closed_home: Path, elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wheel = wheel_binaries().parent.parent
    packages = closed_home / ".venv" / "site-packages"
    shutil.copytree(wheel, packages / wheel.name, ignore=shutil.ignore_patterns("pginstall"))
    shutil.copytree(wheel.with_name(wheel.name + ".libs"), packages / f"{wheel.name}.libs")
    binaries = packages / wheel.name / wheel_binaries().parent.name / "bin"
    monkeypatch.setattr(database_place, "wheel_binaries", lambda: binaries)
    data_dir = closed_home / ".data"
    data_dir.mkdir()

    place = find_place(data_dir)
    Postgres(data=place.data, sockets=elsewhere, binaries=place.binaries, user=place.user).initialize()

    assert place.binaries.is_relative_to(elsewhere) and place.data.is_relative_to(elsewhere)
    assert find_place(data_dir).data == place.data
    assert "18" in run_as(place.user, [place.binaries / "postgres", "--version"]).stdout
    assert len(place.notes) == 3


@as_root
def test_a_folder_made_again_does_not_meet_the_database_of_the_old_one(
    closed_home: Path, elsewhere: Path
) -> None:
    data_dir = closed_home / ".data"
    data_dir.mkdir()
    first = find_place(data_dir).data
    shutil.rmtree(data_dir)
    data_dir.mkdir()

    assert find_place(data_dir).data != first


@as_root
def test_root_runs_an_ordinary_users_database_as_that_user(scratch: Path) -> None:
    database = scratch / "postgres"
    database.mkdir()
    os.chown(database, NOBODY.uid, NOBODY.gid)

    place = find_place(scratch)

    assert (place.data, place.user) == (database, NOBODY)


def test_a_relative_folder_is_that_of_the_caller(scratch: Path) -> None:
    code = "from gateway import configuration; print(configuration.data_dir_from_environment())"
    environment = {**os.environ, "DATA_DIR": "my data", "PYTHONPATH": os.getcwd()}
    told = subprocess.run(
        [sys.executable, "-c", code], cwd=scratch, env=environment, capture_output=True, text=True, check=True
    )

    assert told.stdout.strip() == str(scratch / "my data")


def _children_named(stack: Stack, module: str) -> list[psutil.Process]:
    assert stack.process is not None
    return [child for child in psutil.Process(stack.process.pid).children() if module in child.cmdline()]


def _python_of_an_ordinary_user() -> tuple[str, str]:
    """An interpreter that `nobody` can run with our packages: this one, or the system's of the same version."""
    packages = str(Path(psutil.__file__).parent.parent)
    system = f"/usr/bin/python3.{sys.version_info.minor}"
    for python in (sys.executable, system):
        if NOBODY.can(
            "env",
            f"PYTHONPATH={packages}:{PROJECT_DIR}",
            python,
            "-c",
            "import psycopg, redis.asyncio, gateway",
        ):
            return python, packages
    pytest.skip("this checkout or its Python is closed to other users")
