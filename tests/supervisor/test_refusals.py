"""What `up` refuses before it starts anything: exit status 1 and one line that says what to do."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gateway.supervisor.env_file import read_env
from tests.stack import Stack


def test_a_database_folder_that_is_not_whole_is_refused_and_left_alone(scratch: Path) -> None:
    stack = Stack(scratch / ".data", extra=_secrets())
    half = stack.data_dir / "postgres" / "base"
    half.mkdir(parents=True)

    status, lines = stack.refuse()

    assert (status, len(lines)) == (1, 1)
    assert f"The database in {half.parent} is not whole" in lines[0]
    assert "put a backup in its place, or remove" in lines[0]
    assert half.exists()


def test_a_database_of_another_version_is_refused(scratch: Path) -> None:
    stack = Stack(scratch / ".data", extra=_secrets())
    database = stack.data_dir / "postgres"
    for folder in ("base", "pg_wal", "global"):
        (database / folder).mkdir(parents=True)
    (database / "global" / "pg_control").write_bytes(bytes(8192))
    (database / "PG_VERSION").write_text("16\n")

    status, lines = stack.refuse()

    assert (status, len(lines)) == (1, 1)
    assert "was made by PostgreSQL 16, this is 18" in lines[0]


def test_lost_secrets_are_not_replaced_while_there_is_a_database(scratch: Path) -> None:
    stack = Stack(scratch / ".data")
    (stack.data_dir / "postgres").mkdir(parents=True)

    status, lines = stack.refuse()

    assert (status, len(lines)) == (1, 1)
    assert "SECRET_KEY, GATEWAY_KEY_PEPPER, GATEWAY_DATA_ENCRYPTION_KEYS must be those" in lines[0]
    assert not (stack.data_dir / "secrets.env").exists()


def test_a_lost_database_is_not_silently_replaced(scratch: Path) -> None:
    stack = Stack(scratch / ".data", extra=_secrets())
    stack.data_dir.mkdir()
    (stack.data_dir / "quickstart.env").write_text("ANTHROPIC_API_KEY=sk\n")

    status, lines = stack.refuse()

    assert (status, len(lines)) == (1, 1)
    assert "was in use, but its database" in lines[0]


def test_a_data_dir_that_is_a_file_is_refused(scratch: Path) -> None:
    (scratch / "file").write_text("")

    status, lines = Stack(scratch / "file").refuse()

    assert (status, len(lines)) == (1, 1)
    assert f"DATA_DIR {scratch / 'file'} cannot be used" in lines[0]


def test_every_wrong_setting_is_told_before_anything_starts(scratch: Path) -> None:
    stack = Stack(scratch / ".data", extra={"GATEWAY_WEB_PROCESSES": "many", "GATEWAY_LOG_LEVEL": "LOUD"})

    status, lines = stack.refuse()

    assert (status, len(lines)) == (1, 3)
    assert any("GATEWAY_WEB_PROCESSES" in line for line in lines)
    assert any("GATEWAY_LOG_LEVEL" in line for line in lines)
    assert not (stack.data_dir / "postgres").exists()


def test_an_unknown_host_is_refused(scratch: Path) -> None:
    stack = Stack(scratch / ".data", extra={"HOST": "203.0.113.7"})

    status, lines = stack.refuse()

    assert (status, len(lines)) == (1, 1)
    assert "Cannot listen on 203.0.113.7" in lines[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_of_another_user_is_refused() -> None:
    status, lines = Stack(Path("/usr/gateway-data")).refuse()

    assert (status, len(lines)) == (1, 1)
    assert "DATA_DIR /usr/gateway-data cannot be used" in lines[0]


def test_only_the_missing_secrets_are_made_and_given_ones_stay_out_of_the_file(scratch: Path) -> None:
    given = {"SECRET_KEY": "s" * 40}
    stack = Stack(scratch / ".data", extra={**given, "GATEWAY_LOG_LEVEL": "LOUD"})

    stack.refuse()

    secrets = stack.data_dir / "secrets.env"
    assert sorted(read_env(secrets)) == ["GATEWAY_DATA_ENCRYPTION_KEYS", "GATEWAY_KEY_PEPPER"]
    assert secrets.stat().st_mode & 0o777 == 0o600


def _secrets() -> dict[str, str]:
    names = ("SECRET_KEY", "GATEWAY_KEY_PEPPER", "GATEWAY_DATA_ENCRYPTION_KEYS")
    return {name: os.environ[name] for name in names}
