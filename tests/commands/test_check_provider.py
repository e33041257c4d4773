"""`check_provider` against a provider on real sockets: what works, and each way in which one can fail."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import redis
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import connection
from pytest_django.plugin import DjangoDbBlocker

from admin_api.actions import models, providers
from admin_api.actor import SYSTEM
from admin_api.catalog import RouteTo, Timeouts, WeightedKey
from gateway.configuration import PROJECT_DIR
from gateway.models import ProviderKey
from tests import openai_provider as chat
from tests import upstream as provider
from tests.committed import committed
from tests.ports import free_port
from tests.upstream import (
    LAST_CHUNK,
    Close,
    Hang,
    Pause,
    Received,
    Reset,
    Script,
    Send,
    Upstream,
    chunk,
    reply,
    stream_head,
    streamed,
)

KEY, OTHER_KEY = "sk-provider-0123456789abcdef", "sk-provider-fedcba9876543210"
HINT, OTHER_HINT = "...cdef", "...3210"
HASTY = Timeouts(connect=0.5, first_byte=0.3, idle=0.3)
HTML = b"<!doctype html><title>502 Bad Gateway</title><h1>nginx</h1>"
BOTH = ["anthropic", "openai"]


@pytest.fixture(scope="module")
def upstream() -> Iterator[Upstream]:
    with Upstream() as running:
        yield running


@pytest.fixture(autouse=True)
def rows(
    django_db_setup: None, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Commits are real, since the command reads the catalog over a connection of its own."""
    with committed(django_db_blocker):
        monkeypatch.setattr(
            settings, "CONFIGURATION", settings.CONFIGURATION.model_copy(update={"database_url": _address()})
        )
        yield


def _address() -> str:
    """Of the tests' own database on the server that the settings name."""
    before, _, after = os.environ["DATABASE_URL"].partition("?")
    return f"{before.rpartition('/')[0]}/{connection.settings_dict['NAME']}?{after}"


def furnish(
    upstream: Upstream | str,
    *,
    dialect: str = "anthropic",
    keys: tuple[str, ...] = (KEY,),
    routes: dict[str, str] | None = None,
    timeouts: Timeouts = HASTY,
) -> None:
    """The provider `p` at that address, and `routes` from a model's name to the provider's name of it."""
    address = upstream if isinstance(upstream, str) else upstream.base_url
    providers.upsert(
        actor=SYSTEM,
        name="p",
        dialect=dialect,
        base_url=address + ("/v1" if dialect == "openai" else ""),
        api_keys=[WeightedKey(key) for key in keys],
        timeouts=timeouts,
    )
    for name, there in (routes or {}).items():
        models.upsert(actor=SYSTEM, name=name, routes=[RouteTo("p", there)], aliases=[f"{name}-alias"])


Line = dict[str, Any]


def check(*words: str) -> tuple[list[Line], str]:
    """What `--json` prints, and what the command says if it fails."""
    out = io.StringIO()
    try:
        call_command("check_provider", *words, "--json", stdout=out)
        problem = ""
    except CommandError as failed:
        assert failed.returncode == 1
        problem = str(failed)
    assert KEY not in out.getvalue() + problem
    return [json.loads(line) for line in out.getvalue().splitlines()], problem


def told(line: Line) -> tuple[object, ...]:
    return line["status"], line["kind"], line["message"]


def failures(upstream: Upstream, steps: Script, dialect: str) -> list[tuple[object, ...]]:
    """Why the JSON and the streamed call failed at a provider that does this."""
    furnish(upstream, dialect=dialect, routes={"m": upstream.script(steps)})
    lines, problem = check("p")
    assert (problem, [line["ok"] for line in lines]) == ("2 of 2 calls failed", [False, False])
    return [told(line) for line in lines]


# --- What works ---


@pytest.mark.parametrize("dialect", BOTH)
def test_a_provider_that_answers_is_told_of_with_its_own_figures(upstream: Upstream, dialect: str) -> None:
    furnish(upstream, dialect=dialect, routes={"m": "upstream-model"})

    lines, problem = check("p")

    assert problem == ""
    assert all(0 <= line.pop("first_ms") <= line.pop("total_ms") < 3000 for line in lines)
    same = {
        **{"model": "m", "upstream_model": "upstream-model", "key": HINT, "ok": True, "estimated": False},
        **{"input_tokens": 25, "output_tokens": 12, "stop_reason": "end_turn"},
        "text": "Hello from the provider.",
    }
    assert lines == [{**same, "stream": False}, {**same, "stream": True}]


def test_the_calls_are_those_that_a_client_would_have_made(upstream: Upstream) -> None:
    script = upstream.answered_by(lambda request: None)
    furnish(upstream, routes={"m": script})

    check("p")

    whole, stream = upstream.received(script, 2)
    assert [request.target for request in (whole, stream)] == ["/v1/messages"] * 2
    assert whole.header("x-api-key") == KEY
    assert whole.header("anthropic-version") == "2023-06-01"
    assert whole.json == {
        "model": script,
        "max_tokens": 1024,
        "messages": [{"role": "user", "content": "Say hello in one word."}],
        "stream": False,
    }
    assert stream.json == {**whole.json, "stream": True}


def test_a_model_that_gives_less_is_asked_for_less(upstream: Upstream) -> None:
    script = upstream.answered_by(lambda request: None)
    furnish(upstream, dialect="openai")
    models.upsert(actor=SYSTEM, name="m", routes=[RouteTo("p", script)], max_output_tokens=100)

    check("p")

    asked = upstream.received(script, 2)
    assert [request.json["max_tokens"] for request in asked] == [100, 100]
    assert asked[0].target == "/v1/chat/completions"
    assert asked[0].header("authorization") == f"Bearer {KEY}"


def test_nothing_is_counted_anywhere(upstream: Upstream, valkey: redis.Redis) -> None:
    busy = reply(529, provider.error("overloaded_error", "Overloaded"), ("retry-after", "30"))
    furnish(upstream, routes={"m": upstream.script(busy)})

    check("p")

    assert valkey.keys() == []  # no usage, no limits, no circuit


def test_tokens_that_the_provider_does_not_tell_are_marked(upstream: Upstream) -> None:
    script = upstream.script(streamed(chat.frames(chat.chunks(["Hello"], usage=None))))
    furnish(upstream, dialect="openai", routes={"m": script})

    stream = check("p")[0][1]

    assert (stream["ok"], stream["estimated"], stream["text"]) == (True, True, "Hello")
    assert stream["input_tokens"] > 0


def test_the_simulator_can_be_checked_too() -> None:
    lines, problem = check("simulator", "--model", "claude-haiku-5-5")

    assert problem == ""
    assert [(line["model"], line["key"], line["stream"], line["ok"]) for line in lines] == [
        ("claude-haiku-5-5", "none", False, True),
        ("claude-haiku-5-5", "none", True, True),
    ]


# --- Which models ---


def asked(lines: list[Line]) -> list[tuple[str, str]]:
    return [(line["model"], line["upstream_model"]) for line in lines if not line["stream"]]


def test_without_a_model_each_route_to_the_provider_is_asked(upstream: Upstream) -> None:
    furnish(upstream, routes={"b": "there-b", "a": "there-a"})
    models.upsert(actor=SYSTEM, name="c", routes=[RouteTo("simulator", "claude-x")])

    lines, problem = check("p")

    assert (asked(lines), problem) == ([("a", "there-a"), ("b", "there-b")], "")


NAMES = {
    "m": ("m", "there"),
    "m-alias": ("m", "there"),
    "p/m": ("m", "there"),
    "m-2026-01-31": ("m", "there"),
    "there": ("m", "there"),
    "brand-new": ("brand-new", "brand-new"),
    "claude-haiku-5-5": ("claude-haiku-5-5", "claude-haiku-5-5"),  # which is routed elsewhere only
}


def test_a_model_goes_by_any_name_and_needs_no_route(upstream: Upstream) -> None:
    furnish(upstream, routes={"m": "there", "other": "elsewhere", "twin": "there"})

    found = {name: check("p", "--model", name) for name in NAMES}

    assert {name: asked(lines) for name, (lines, _) in found.items()} == {
        name: [one] for name, one in NAMES.items()
    }
    assert {problem for _, problem in found.values()} == {""}


def test_a_provider_without_routes_needs_a_model(upstream: Upstream) -> None:
    furnish(upstream)

    assert check("p") == ([], "no model is routed to p; name one that it has with --model")
    lines, problem = check("p", "--model", "brand-new")
    assert ([line["key"] for line in lines], problem) == ([HINT, HINT], "")


def test_a_provider_that_does_not_exist_is_answered_with_those_that_do(upstream: Upstream) -> None:
    furnish(upstream)

    assert check("q") == ([], "no provider is named 'q'; there are: p, simulator")


# --- Keys ---


def test_of_several_keys_the_bad_one_is_named_by_its_hint(upstream: Upstream) -> None:
    def answer(request: Received) -> Script | None:
        good = request.header("x-api-key") == KEY
        return None if good else reply(401, provider.error("authentication_error", "invalid x-api-key"))

    furnish(upstream, keys=(KEY, OTHER_KEY), routes={"m": upstream.answered_by(answer)})

    lines, problem = check("p")

    assert problem == "2 of 4 calls failed"
    assert [(line["key"], line["ok"]) for line in lines] == [
        *[(HINT, True)] * 2,
        *[(OTHER_HINT, False)] * 2,
    ]
    assert told(lines[2]) == (401, "authentication_error", "invalid x-api-key")


def test_a_key_that_nothing_opens_is_a_failure_of_its_own(upstream: Upstream) -> None:
    furnish(upstream, keys=(KEY, OTHER_KEY), routes={"m": "upstream-model"})
    ProviderKey.objects.filter(api_key_hint="3210").update(encrypted_api_key=b"made under a lost key")

    lines, problem = check("p")

    assert [(line["key"], line["ok"]) for line in lines] == [(HINT, True)] * 2
    assert problem == ("key ...3210 cannot be decrypted with GATEWAY_DATA_ENCRYPTION_KEYS and is not used")


@pytest.mark.parametrize("dialect", BOTH)
def test_a_provider_that_quotes_the_key_does_not_give_it_away(upstream: Upstream, dialect: str) -> None:
    message = f"Incorrect API key provided: '{KEY}' ({KEY[:14]}...).\x1b[2J\nTry another."
    refusal = reply(401, chat.error(message, code="invalid_api_key"))

    whole, stream = failures(upstream, refusal, dialect)

    assert (
        whole
        == stream
        == (
            401,
            "invalid_api_key",
            "Incorrect API key provided: '[redacted]' [key] [2J Try another.",
        )
    )


# --- Failures ---


REFUSALS = {
    "anthropic": {
        (status, kind, message): reply(status, provider.error(kind, message))
        for status, kind, message in (
            (400, "invalid_request_error", "max_tokens: too many"),
            (401, "authentication_error", "invalid x-api-key"),
            (404, "not_found_error", "model: upstream-model"),
            (429, "rate_limit_error", "Slow down"),
            (500, "api_error", "Internal server error"),
            (529, "overloaded_error", "Overloaded"),
        )
    },
    "openai": {
        (status, code or kind, message): reply(status, chat.error(message, kind, code))
        for status, kind, code, message in (
            (401, "invalid_request_error", "invalid_api_key", "Incorrect API key provided"),
            (404, "invalid_request_error", "model_not_found", "The model does not exist"),
            (429, "insufficient_quota", "insufficient_quota", "You exceeded your current quota"),
            (500, "server_error", None, "The server had an error"),
        )
    },
}


@pytest.mark.parametrize("dialect", BOTH)
def test_refusals_are_told_in_the_providers_words(upstream: Upstream, dialect: str) -> None:
    refusals = REFUSALS[dialect]
    routes = {f"m{number}": upstream.script(steps) for number, steps in enumerate(refusals.values())}
    furnish(upstream, dialect=dialect, routes=routes)

    lines, problem = check("p")

    assert [told(line) for line in lines] == [refusal for refusal in refusals for _ in range(2)]
    assert problem == f"{len(lines)} of {len(lines)} calls failed"


OF_HTML = {
    ("anthropic", 502): "The provider answered with status 502 and no error that can be read.",
    ("openai", 502): "The provider answered with status 502.",
    ("anthropic", 200): "The provider sent an answer that cannot be read. Its content type is text/html.",
}


@pytest.mark.parametrize(("dialect", "status"), OF_HTML)
def test_a_page_in_html_is_no_answer(upstream: Upstream, dialect: str, status: int) -> None:
    page = reply(status, HTML, content_type="text/html")

    assert failures(upstream, page, dialect) == [(status, "api_error", OF_HTML[dialect, status])] * 2


@pytest.mark.parametrize("dialect", BOTH)
def test_a_provider_that_is_not_there_refuses_the_connection(dialect: str) -> None:
    port = free_port()
    furnish(f"http://127.0.0.1:{port}", dialect=dialect, routes={"m": "m"})

    lines, problem = check("p")

    assert problem == "2 of 2 calls failed"
    assert [told(line) for line in lines] == [(None, "connection refused", f"127.0.0.1:{port}")] * 2
    assert [line["first_ms"] for line in lines] == [None, None]


def test_a_name_that_nobody_has_is_told() -> None:
    furnish("http://provider.invalid", routes={"m": "m"})

    for line in check("p")[0]:
        assert told(line)[:2] == (None, "no connection")
        assert "provider.invalid" in line["message"]


@pytest.mark.parametrize("dialect", BOTH)
def test_a_provider_that_says_nothing_times_out(upstream: Upstream, dialect: str) -> None:
    assert failures(upstream, [Hang()], dialect) == [(None, "timeout", "no answer within 0.3 seconds")] * 2


def test_the_operator_may_have_less_patience_than_the_provider_is_given(upstream: Upstream) -> None:
    furnish(upstream, routes={"m": upstream.script(Hang())}, timeouts=Timeouts(first_byte=60))

    lines, _ = check("p", "--timeout", "0.2")

    assert [line["kind"] for line in lines] == ["timeout", "timeout"]
    assert all(line["total_ms"] < 2000 for line in lines)


@pytest.mark.parametrize("words", ["0", "-1", "601", "nan", "soon"])
def test_a_timeout_that_makes_no_sense_is_refused(words: str) -> None:
    with pytest.raises(CommandError, match="argument --timeout"):
        call_command("check_provider", "simulator", f"--timeout={words}")


BEGUN = {
    "anthropic": stream_head() + chunk(b"".join(provider.frames()[:4])),
    "openai": stream_head() + chunk(b"".join(chat.frames()[:3])),
}
GONE = "the provider closed the connection before its answer was complete"
CUT = "The provider's stream broke off before its answer was whole."
OVERLOADED = {
    "anthropic": provider.frame(provider.error("overloaded_error", "Overloaded")),
    "openai": chat.frame(chat.error("Overloaded", "server_error", "overloaded")),
}
AFTER: dict[str, dict[str, tuple[Script, tuple[int, str, str]]]] = {
    dialect: {
        "closes": ([Close()], (200, "broken off", GONE)),
        "ends": ([Send(LAST_CHUNK)], silent),
        "fails": ([Send(chunk(OVERLOADED[dialect]) + LAST_CHUNK)], (200, "overloaded_error", overloaded)),
        "garbage": ([Send(chunk(HTML + b"\n\n") + LAST_CHUNK)], garbage),
        "hangs": ([Hang()], (200, "timeout", "no data for 0.3 seconds")),
        "resets": ([Reset()], (200, "broken off", GONE)),
    }
    for dialect, silent, overloaded, garbage in (
        (
            "anthropic",
            (200, "broken off", "the stream is not whole"),
            "Overloaded",
            (200, "unreadable", "a frame that is no event"),
        ),
        (
            "openai",
            (200, "api_error", CUT),
            "The provider is overloaded.",
            (200, "api_error", "The provider sent something that is no event stream."),
        ),
    )
}


@pytest.mark.parametrize("dialect", BOTH)
def test_streams_that_begin_well_and_end_badly_are_failures(upstream: Upstream, dialect: str) -> None:
    def playing(steps: Script) -> str:
        streamed: Script = [Send(BEGUN[dialect]), Pause(0.05), *steps]
        return upstream.answered_by(lambda request: streamed if request.json.get("stream") else None)

    routes = {what: playing(steps) for what, (steps, _) in AFTER[dialect].items()}
    furnish(upstream, dialect=dialect, routes=routes)

    lines, problem = check("p")

    assert problem == "6 of 12 calls failed"
    assert [line["ok"] for line in lines] == [True, False] * 6
    failed = lines[1::2]
    assert {line["model"]: told(line) for line in failed} == {
        what: expected for what, (_, expected) in AFTER[dialect].items()
    }
    assert all(line["first_ms"] is not None for line in failed)


# --- What people see ---


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(out: io.StringIO) -> list[str]:
    """What stands there in the end, without colours, each time as `9`."""
    with contextlib.suppress(CommandError):
        call_command("check_provider", "p", stdout=out)
    plain = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", out.getvalue()).rpartition("\r")[2]
    plain = re.sub(r"\d+ ms \(first \d+\)", "9 ms (first 9)", plain)
    return [re.sub(r"(JSON|stream) +\d+ +\d+ ", r"\1 9 9 ", line).rstrip() for line in plain.splitlines()]


def two_models(upstream: Upstream) -> None:
    """One that answers, and one that is refused at length."""
    refusal = reply(404, provider.error("not_found_error", "There is no such model here. " * 4))
    furnish(upstream, routes={"m": "upstream-model", "z": upstream.script(refusal)})


def test_in_a_pipe_each_call_is_one_line(upstream: Upstream) -> None:
    two_models(upstream)

    head, _, *calls = shown(io.StringIO())

    assert re.split(r"  +", head) == ["model", "key", "call", "first ms", "total ms", "in", "out", "result"]
    said = "404 not_found_error: " + " ".join(["There is no such model here."] * 4)
    assert [re.split(r"  +", re.sub(r"script-\d+-", "script", call)) for call in calls] == [
        ["m (upstream-model)", HINT, "JSON 9 9", "25", "12", "ok: Hello from the provider."],
        ["m (upstream-model)", HINT, "stream 9 9", "25", "12", "ok: Hello from the provider."],
        ["z (script)", HINT, "JSON 9 9", "-", "-", said],
        ["z (script)", HINT, "stream 9 9", "-", "-", said],
    ]


@pytest.mark.parametrize("columns", [40, 100])
def test_in_a_terminal_no_line_is_wider_than_it_and_no_word_is_lost(
    upstream: Upstream, columns: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    two_models(upstream)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("TERM", "xterm-256color")

    lines = shown(Terminal())

    assert max(map(len, lines)) <= columns
    assert ("total ms" in lines[0]) == (columns >= 100)
    words = " ".join(" ".join(lines).split())
    assert (words.count("Hello"), words.count("provider.")) == (2, 2)  # a slow answer's digits may part them
    assert words.count("404 not_found_error") == 2
    assert words.count("here.") == 8


def test_a_narrow_terminal_gets_lines_instead_of_a_table(
    upstream: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    furnish(upstream, routes={"m": "upstream-model"})
    monkeypatch.setenv("COLUMNS", "80")

    assert shown(Terminal()) == [
        f"m (upstream-model), key {HINT}",
        "  JSON   ok, 9 ms (first 9), 25 in, 12 out: Hello from the provider.",
        "  stream ok, 9 ms (first 9), 25 in, 12 out: Hello from the provider.",
    ]


def test_an_answer_without_text_says_why(upstream: Upstream) -> None:
    script = upstream.script(reply(200, provider.message(content=[], stop_reason="max_tokens")))
    furnish(upstream, routes={"m": script})

    assert shown(io.StringIO())[2].endswith("ok: no text, stopped by max_tokens")


# --- The command in a shell ---


@contextlib.contextmanager
def started(*words: str) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "check_provider", *words],
        cwd=PROJECT_DIR,
        env=os.environ | {"DATABASE_URL": _address()},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_shell_sees_the_table_exit_code_1_and_no_log(upstream: Upstream) -> None:
    refusal = reply(401, provider.error("authentication_error", "invalid x-api-key"))
    furnish(upstream, routes={"m": upstream.script(refusal)})

    with started("p") as process:
        out, problems = process.communicate(timeout=60)

    assert process.returncode == 1
    assert problems == "CommandError: 2 of 2 calls failed\n"
    assert [line.rpartition("  ")[2] for line in out.splitlines()[2:]] == [
        "401 authentication_error: invalid x-api-key"
    ] * 2


def test_who_loses_patience_sees_what_came_until_then(upstream: Upstream) -> None:
    hangs = upstream.answered_by(lambda request: [Hang()] if request.json["stream"] else None)
    furnish(upstream, routes={"m": hangs}, timeouts=Timeouts(first_byte=60))

    with started("p") as process:
        upstream.received(hangs, 2, timeout=30)
        process.send_signal(signal.SIGINT)
        out, problems = process.communicate(timeout=60)

    assert (process.returncode, problems) == (130, "CommandError: interrupted\n")
    (line,) = out.splitlines()[2:]
    assert line.rstrip().endswith("ok: Hello from the provider.")
