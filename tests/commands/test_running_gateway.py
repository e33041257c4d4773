"""What the commands change is what a running gateway does, within a second and without a restart."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from tests.stack import Stack

pytestmark = pytest.mark.slow

FILE = """
providers: {{own-simulator: {{dialect: simulator}}}}
models: {{applied-model: {{aliases: [{alias}], routes: [{{provider: own-simulator, model: claude-x}}]}}}}
organizations: {{Applied: {{tier: basic, limits: {{requests_per_minute: {requests}}}}}}}
"""


class Applied:
    """An organization and a model that only `manage.py` made."""

    def __init__(self, stack: Stack, file: Path) -> None:
        self.stack = stack
        self.file = file
        self.apply(alias="applied-first", requests=50)
        made = stack.manage("create_api_key", "--organization", "Applied", "--name", "Test")
        self.key = made.stdout.splitlines()[-1]

    def apply(self, *, alias: str, requests: int) -> list[str]:
        self.file.write_text(FILE.format(alias=alias, requests=requests))
        return self.stack.manage("apply", str(self.file)).stdout.splitlines()

    def ask(self, model: str) -> int:
        answer = httpx.post(
            f"{self.stack.base_url}/v1/messages",
            headers={"x-api-key": self.key, "anthropic-version": "2023-06-01"},
            json={"model": model, "max_tokens": 10, "messages": [{"role": "user", "content": "Hello"}]},
        )
        return answer.status_code


@pytest.fixture(scope="module")
def applied(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Applied]:
    """The organization stays, as organizations do; the catalog is left as it was found."""
    file = tmp_path_factory.mktemp("applied") / "gateway.yaml"
    yield Applied(stack, file)
    file.write_text("{}")
    stack.manage("apply", "--prune", str(file))


def within_a_second(holds: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 1
    while not holds():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def test_a_model_and_its_aliases_follow_the_file(applied: Applied) -> None:
    assert within_a_second(lambda: applied.ask("applied-model") == 200)
    assert applied.ask("applied-first") == 200

    assert applied.apply(alias="applied-second", requests=50) == [
        "~ model applied-model: aliases [applied-first] -> [applied-second]"
    ]
    assert within_a_second(lambda: applied.ask("applied-second") == 200)
    assert applied.ask("applied-first") == 404


def test_a_file_with_an_error_changes_nothing_that_runs(applied: Applied) -> None:
    assert within_a_second(lambda: applied.ask("applied-model") == 200)
    applied.file.write_text(
        "models: {applied-model: {aliases: [applied-third], routes: [{provider: nobody}]}}"
    )

    ended = applied.stack.manage("apply", str(applied.file), check=False)

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.splitlines() == [
        f"CommandError: {applied.file} has 1 error; nothing was changed.",
        f"{applied.file}:1: models.applied-model.routes[0].provider: there is no provider 'nobody'; "
        "expected one of own-simulator, simulator",
    ]
    assert applied.ask("applied-third") == 404


def test_limits_follow_the_file(applied: Applied) -> None:
    """The last of them: it leaves nothing to ask with."""
    assert within_a_second(lambda: applied.ask("applied-model") == 200)

    applied.apply(alias="applied-first", requests=1)

    assert within_a_second(lambda: applied.ask("applied-model") == 429)
