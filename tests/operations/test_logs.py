"""Logs are set up once for a process, so each test asks a process of its own."""

from __future__ import annotations

import base64
import json
import secrets
import subprocess
import sys
from typing import Any

import pytest

from gateway import credentials

PROLOGUE = """
import logging, structlog
from gateway import logs
logs.configure(level="INFO", secrets={secrets!r})
log = structlog.get_logger("gateway.engine")
"""


def _logged(code: str, own_secrets: tuple[str, ...] = ()) -> str:
    """What a process writes to stderr when it runs `code`."""
    program = PROLOGUE.format(secrets=own_secrets) + code
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=30)
    assert (done.returncode, done.stdout) == (0, "")
    return done.stderr


def _line(code: str) -> dict[str, Any]:
    [line] = _logged(code).splitlines()
    parsed = json.loads(line)
    assert isinstance(parsed, dict)
    return parsed


def test_a_line_is_one_object_with_time_level_logger_and_the_given_fields() -> None:
    line = _line('log.warning("attempt_failed", request_id="req_01", status=502)')
    assert line.pop("time").endswith("Z")
    assert line == {
        "event": "attempt_failed",
        "level": "warning",
        "logger": "gateway.engine",
        "request_id": "req_01",
        "status": 502,
    }


def test_the_standard_library_logs_in_the_same_shape() -> None:
    line = _line('logging.getLogger("uvicorn.error").error("lost %s", "a socket")')
    assert line.pop("time").endswith("Z")
    assert line == {"event": "lost a socket", "level": "error", "logger": "uvicorn.error"}


def test_a_bound_request_id_is_on_every_line_of_both_kinds() -> None:
    code = """
with structlog.contextvars.bound_contextvars(request_id="req_7"):
    log.info("one")
    logging.info("two")
log.info("three")
"""
    lines = [json.loads(line) for line in _logged(code).splitlines()]
    assert [line.get("request_id") for line in lines] == ["req_7", "req_7", None]


def test_a_command_can_keep_the_lines_of_what_it_runs_away() -> None:
    code = """
import asyncio
async def work():
    log.warning("one")
    await asyncio.to_thread(log.warning, "two")
with logs.quiet():
    asyncio.run(work())
log.warning("three")
"""
    assert _line(code)["event"] == "three"


@pytest.mark.parametrize("logger", ["log", 'logging.getLogger("django.request")'])
def test_an_exception_is_a_structured_traceback_without_local_variables(logger: str) -> None:
    code = f"""
def fail():
    local = "canary"
    raise ValueError("wrong")
try:
    fail()
except ValueError:
    {logger}.exception("failed")
"""
    line = _line(code)
    [trace] = line["exception"]
    assert (trace["exc_type"], trace["exc_value"]) == ("ValueError", "wrong")
    assert trace["frames"][-1]["name"] == "fail"
    assert "canary" not in json.dumps(line)


def test_lines_below_the_level_and_chatter_of_libraries_are_left_out() -> None:
    assert (
        _logged('log.debug("x"); logging.debug("x"); logging.getLogger("httpx").info("GET http://x")') == ""
    )


SECRETS = (
    credentials.new_secret("api"),
    credentials.new_secret("admin"),
    credentials.new_secret("operator"),
    "sk-ant-api03-" + secrets.token_urlsafe(40),
    "sk-proj-" + secrets.token_urlsafe(40),
    "Bearer " + secrets.token_urlsafe(20),
    "postgresql://gateway:" + secrets.token_hex(8) + "@db/gateway",
)


@pytest.mark.parametrize(
    "code",
    [
        "log.info('event ' + {0!r})",
        "log.info('x', note={0!r}, deep=[{{'a': ('b', {0!r})}}])",
        "log.info('x', **{{'note': {{{0!r}: 1}}}})",
        "logging.info('x %s', {0!r})",
        "try: raise ValueError({0!r})\nexcept ValueError: log.exception('x')",
        "import warnings; warnings.warn({0!r})",
    ],
    ids=["event", "fields", "names", "arguments", "exceptions", "warnings"],
)
def test_what_looks_like_a_secret_is_blotted_out_wherever_it_stands(code: str) -> None:
    logged = _logged("\n".join(code.format(secret) for secret in SECRETS))
    lines = logged.splitlines()
    assert len(lines) == len(SECRETS) and all("[redacted]" in line for line in lines)
    canaries = [secret.rpartition(":")[2].partition("@")[0].rpartition(" ")[2] for secret in SECRETS]
    assert [canary for canary in canaries if canary[:20] in logged] == []


def test_own_secrets_are_blotted_out_also_when_cut() -> None:
    own = base64.b64encode(secrets.token_bytes(32)).decode()
    logged = _logged(f"log.info('x', a={own!r}, b='pre' + {own[:24]!r}, c='see ' + {own!r} + ' end')", (own,))
    line = json.loads(logged)
    assert (line["a"], line["b"], line["c"]) == ("[redacted]", "pre[redacted]", "see [redacted] end")


def test_content_and_credentials_are_left_out_by_the_name_of_their_field() -> None:
    code = """
log.info("x", body=b"canary", prompt="canary", messages=[{"a": "canary"}], headers={"X-Api-Key": "canary",
    "Cookie": "canary", "accept": "*/*"}, encrypted_api_key="canary", raw=b"canary", input_tokens=5)
"""
    line = _line(code)
    assert "canary" not in json.dumps(line)
    assert (line["body"], line["messages"], line["raw"]) == ("[6 left out]", "[1 left out]", "[6 bytes]")
    assert line["headers"] == {"X-Api-Key": "[redacted]", "Cookie": "[redacted]", "accept": "*/*"}
    assert line["input_tokens"] == 5


def test_long_values_are_cut_and_newlines_stay_inside_the_line() -> None:
    line = _line("log.info('x', note='n' * 100_000, error='e' * 100_000, forged='a\\n{\"level\": 1}')")
    assert (len(line["note"]), len(line["error"])) == (2_023, 523)
    assert line["forged"] == 'a\n{"level": 1}'


def test_values_that_are_no_plain_json_are_written_all_the_same() -> None:
    line = _line(
        "import pathlib; log.info('x', path=pathlib.Path('/a'), odd=object, big=10**30, half='\\ud800')"
    )
    assert (line["path"], line["odd"], line["big"], line["half"]) == (
        "/a",
        "<class 'object'>",
        10**30,
        "\ud800",
    )


def test_a_line_that_cannot_be_written_tells_no_arguments() -> None:
    assert _line("logging.info('%d', 'canary')") == {
        "event": "log_line_lost",
        "level": "error",
        "logger": "root",
    }


def test_every_process_that_reads_the_settings_logs_this_way() -> None:
    code = "import django.conf, logging; django.conf.settings.DEBUG; logging.warning('x')"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert (done.returncode, json.loads(done.stderr)["event"]) == (0, "x")


def test_the_settings_keep_their_own_secrets_out_of_the_logs() -> None:
    code = """
import logging
from django.conf import settings
own = settings.CONFIGURATION
for secret in (own.secret_key, own.key_pepper, *own.data_encryption_keys):
    logging.warning(secret.get_secret_value())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=30)
    assert [json.loads(line)["event"] for line in done.stderr.splitlines()] == ["[redacted]"] * 3
