from __future__ import annotations

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from gateway.configuration import PROJECT_DIR
from gateway.models import Model, Provider

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
        f"{file}:3: models.m.colour: unknown field; expected one of display_name, aliases, max_input_tokens, "
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
