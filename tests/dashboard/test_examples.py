"""The snippets run as they are shown, with a key in its place."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import psycopg
import pytest

from tests.dashboard.conftest import PROJECT, Site

pytestmark = pytest.mark.slow


def example(site: Site, file: str, folder: Path) -> Path:
    """The file as a reader pastes it."""
    text = (PROJECT / "examples" / file).read_text()
    copy = folder / file
    text = text.replace("time.sleep(5)", "time.sleep(0.1)")  # nobody else waits for this batch
    copy.write_text(text.replace("http://127.0.0.1:8000", site.url).replace("YOUR_API_KEY", site.api_key))
    return copy


def test_the_python_example_prints_an_answer(site: Site, tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, example(site, "quickstart.py", tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, bool(done.stdout.strip())) == (0, True), done.stderr


def test_the_example_of_a_batch_waits_for_its_results(site: Site, tmp_path: Path) -> None:
    """A worker's own task, run once instead of by Celery."""
    with subprocess.Popen(
        [sys.executable, example(site, "batch.py", tmp_path)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as reader:
        _run_batches(site, tmp_path)
        said, problems = reader.communicate(timeout=60)
    assert sorted(said.splitlines()) == [f"greeting-{n} succeeded" for n in (2, 3, 4)], problems


def _run_batches(site: Site, folder: Path) -> None:
    """Until that one has ended; the stage's own batches have no items to run."""
    code = "from gateway.batches import tasks; tasks.LINGER_SECONDS = 0; tasks.run_batches()"
    environment = {**site.environment, "DATA_DIR": str(folder)}
    with psycopg.connect(site.database_url, autocommit=True) as database:
        _wait_for_its_items(database)
        for _ in range(20):
            subprocess.run(
                [sys.executable, "manage.py", "shell", "-v0", "-c", code],
                cwd=PROJECT,
                env=environment,
                check=True,
            )
            done = "SELECT 1 FROM message_batch WHERE total = 3 AND status = 'ended'"
            if database.execute(done).fetchone():
                return
    raise AssertionError("the batch was not run")


def _wait_for_its_items(database: psycopg.Connection) -> None:
    deadline = time.monotonic() + 30
    while not database.execute(
        "SELECT 1 FROM message_batch_item WHERE custom_id LIKE 'greeting-%' LIMIT 1"
    ).fetchone():
        assert time.monotonic() < deadline, "no batch was made"
        time.sleep(0.05)


def test_the_curl_example_prints_an_answer(site: Site, tmp_path: Path) -> None:
    assert shutil.which("curl"), "curl is not installed"
    done = subprocess.run(
        ["sh", example(site, "quickstart.sh", tmp_path)], capture_output=True, text=True, timeout=60
    )
    assert '"type":"message"' in done.stdout.replace(" ", ""), done.stdout + done.stderr


def test_claude_code_starts_with_the_address_and_a_bearer_token(site: Site, tmp_path: Path) -> None:
    """A stand-in for `claude` tells what it was started with."""
    stand_in = tmp_path / "claude"
    stand_in.write_text(
        '#!/bin/sh\necho "$ANTHROPIC_BASE_URL $ANTHROPIC_AUTH_TOKEN ${ANTHROPIC_API_KEY-unset}"\n'
    )
    stand_in.chmod(0o755)
    environment = os.environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}", "ANTHROPIC_API_KEY": "of-before"}
    script = example(site, "claude-code.sh", tmp_path)
    done = subprocess.run(["sh", script], env=environment, capture_output=True, text=True, check=True)
    assert done.stdout.split() == [site.url, site.api_key, "unset"]


def test_the_env_file_is_all_that_the_sdk_needs(site: Site, tmp_path: Path) -> None:
    lines = example(site, "quickstart.env", tmp_path).read_text().split()
    environment = os.environ | dict(line.split("=", 1) for line in lines)
    code = "import anthropic; print(next(iter(anthropic.Anthropic().models.list())).id)"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert (done.returncode, bool(done.stdout.strip())) == (0, True), done.stderr
