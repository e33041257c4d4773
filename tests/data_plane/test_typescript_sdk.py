"""The official TypeScript SDK from npm: one Node process talks, and its report is checked here."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.data_plane.house import SCRIPTED, SIMULATED, House

FOLDER = Path(__file__).resolve().parents[1] / "typescript"

pytestmark = pytest.mark.skipif(shutil.which("npm") is None, reason="npm is not installed")


@pytest.fixture(scope="module")
def report(house: House, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the conversation saw."""
    place = tmp_path_factory.mktemp("typescript")
    for name in ("package.json", "package-lock.json", ".npmrc", "conversation.mjs"):
        shutil.copy(FOLDER / name, place)
    _run(["npm", "ci", "--ignore-scripts", "--no-audit"], place, os.environ, 120)
    talk = {"ANTHROPIC_BASE_URL": house.base_url, "ANTHROPIC_API_KEY": house.key, "MODEL": SIMULATED[0]}
    seen: dict[str, Any] = json.loads(_run(["node", "conversation.mjs"], place, os.environ | talk, 60))
    return seen


def test_a_message(report: dict[str, Any]) -> None:
    message = report["message"]

    assert "simulated" in message["text"]
    assert message["stop_reason"] == "end_turn"
    assert message["request_id"].startswith("req_")


def test_streams(report: dict[str, Any]) -> None:
    types = report["raw_stream"]
    helper = report["stream_helper"]

    assert (types[0], types[-2:]) == ("message_start", ["message_delta", "message_stop"])
    assert helper["text"] == report["message"]["text"]
    assert helper["parts"] > 3
    assert helper["output_tokens"] == report["message"]["usage"]["output_tokens"]


def test_tools_and_thinking(report: dict[str, Any]) -> None:
    tools = report["tools"]

    assert (tools["stop_reason"], tools["name"], tools["input"]) == (
        "tool_use",
        "get_weather",
        {"city": "simulated city"},
    )
    assert "21 degrees" in tools["answer"]
    assert report["tool_runner"]["called"] == ["simulated word"]
    assert "means something" in report["tool_runner"]["answer"]
    assert report["thinking"] == {"types": ["thinking", "text"], "signed": True}


def test_tokens_and_models(report: dict[str, Any]) -> None:
    assert report["counted"] == report["message"]["usage"]["input_tokens"]
    assert {SCRIPTED, *SIMULATED} <= set(report["models"])
    assert report["retrieved"] == SIMULATED[0]


def test_a_batch_is_taken_in(report: dict[str, Any]) -> None:
    batch = report["batch"]

    assert batch.pop("id").startswith("msgbatch_")
    assert batch == {
        "status": "in_progress",
        "counts": {"processing": 2, "succeeded": 0, "errored": 0, "canceled": 0, "expired": 0},
        "results_url": None,
    }
    assert (report["empty_batch"]["kind"], report["empty_batch"]["status"]) == ("BadRequestError", 400)


def test_errors_are_the_sdks_own_classes(report: dict[str, Any]) -> None:
    assert {name: (report[name]["kind"], report[name]["status"], report[name]["type"]) for name in (
        "unknown_model", "bad_request", "bad_key",
    )} == {
        "unknown_model": ("NotFoundError", 404, "not_found_error"),
        "bad_request": ("BadRequestError", 400, "invalid_request_error"),
        "bad_key": ("AuthenticationError", 401, "authentication_error"),
    }  # fmt: skip
    assert all(
        report[name]["request_id"].startswith("req_") for name in ("unknown_model", "bad_request", "bad_key")
    )


def test_the_lock_file_names_no_registry() -> None:
    assert "resolved" not in (FOLDER / "package-lock.json").read_text()


def _run(
    command: list[str], place: Path, environment: os._Environ[str] | dict[str, str], seconds: int
) -> str:
    done = subprocess.run(
        command,
        cwd=place,
        env=dict(environment),
        capture_output=True,
        text=True,
        timeout=seconds,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    return done.stdout
