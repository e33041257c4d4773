from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from admin_api.locks import CATALOG
from gateway.configuration import PROJECT_DIR
from gateway.models import Model, Provider
from tests.people import Cast

FILE = 'providers: {p: {dialect: anthropic, base_url: "http://10.0.0.1", api_key: "${KEY_OF_P}"}}\n'


def run(*arguments: str) -> list[str]:
    out = io.StringIO()
    call_command("apply", *arguments, stdout=out)
    return out.getvalue().splitlines()


def test_changes_are_printed_and_then_there_is_nothing_to_change(
    db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEY_OF_P", "sk-p")
    file = tmp_path / "gateway.yaml"
    file.write_text("\ufeff" + FILE)

    assert run(str(file)) == ["+ provider p"]
    assert run(str(file)) == ["nothing to change"]
    file.write_text("")
    assert run(str(file), "--prune") == ["- provider p"]


def test_errors_are_listed_with_file_line_and_path_and_nothing_is_changed(db: None, tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text(FILE + "models:\n  m: {routes: [{provider: p}], colour: red}\n")

    with pytest.raises(CommandError) as refused:
        run(str(file))

    assert str(refused.value).splitlines() == [
        f"{file} has 2 errors; nothing was changed.",
        f"{file}:1: providers.p.api_key: the environment variable KEY_OF_P is not set",
        f"{file}:3: models.m.colour: unknown field; expected one of display_name, aliases, group, max_input_tokens, "
        "max_output_tokens, price, routes",
    ]
    assert not Provider.objects.filter(name="p").exists()
    assert not Model.objects.filter(name="m").exists()


def test_a_file_that_cannot_be_read_is_one_line(db: None, tmp_path: Path) -> None:
    latin = tmp_path / "latin.yaml"
    latin.write_bytes(b"# caf\xe9")

    for file, message in (
        (tmp_path / "no.yaml", "cannot be read: No such file or directory"),
        (latin, "is not UTF-8 text"),
    ):
        with pytest.raises(CommandError) as refused:
            run(str(file))
        assert str(refused.value) == f"{file} {message}"


def test_the_shell_sees_exit_code_1_and_no_traceback(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("providers: [")

    ended = subprocess.run(
        [sys.executable, "manage.py", "apply", str(file)],
        cwd=PROJECT_DIR,
        env=dict(os.environ),
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines()[0] == f"CommandError: {file} has 1 error; nothing was changed."
    assert "Traceback" not in ended.stderr


def test_a_file_may_come_from_standard_input(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(
        sys, "stdin", io.TextIOWrapper(io.BytesIO(b"tiers: {small: {concurrent_requests: 1}}"))
    )

    assert run("-") == ["+ tier small"]


def test_a_second_apply_waits_and_then_gives_up_in_one_line(committed_people: Cast, tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("tiers: {small: {concurrent_requests: 1}}")
    with psycopg.connect(**connection.get_connection_params()) as other, connection.cursor() as cursor:
        other.execute("SELECT pg_advisory_xact_lock(%s)", [CATALOG])
        cursor.execute("SET lock_timeout = '100ms'")
        try:
            with pytest.raises(CommandError) as refused:
                run(str(file))
        finally:
            cursor.execute("RESET lock_timeout")

    assert str(refused.value) == "somebody else is changing the same rows; nothing was changed, try again"
    assert run(str(file)) == ["+ tier small"]


def test_a_database_that_is_away_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "gateway.yaml"
    file.write_text("tiers: {}")

    ended = subprocess.run(
        [sys.executable, "manage.py", "apply", str(file)],
        cwd=PROJECT_DIR,
        env={**os.environ, "DATABASE_URL": f"postgresql://x@/x?host={tmp_path}"},
        capture_output=True,
        text=True,
        timeout=60,
    )

    line = ended.stderr.splitlines()[-1]  # the pool's own warnings stand before it
    assert (ended.returncode, ended.stdout) == (1, "")
    assert line.startswith("CommandError: the database does not answer (")
    assert line.endswith("); is the gateway running? DATA_DIR or DATABASE_URL tell where")
    assert "Traceback" not in ended.stderr
