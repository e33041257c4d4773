"""Claude Code itself, with nothing but an address and a key: `claude -p` against every dialect."""

from __future__ import annotations

import base64
import json
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests import openai_provider as chat
from tests import upstream as provider
from tests.agents.program import INSTALLED, run
from tests.agents.tool_turn import (
    ARCHIVE,
    ASK_THE_ARCHIVE,
    LAST_WORDS,
    LEAVE_A_PROOF,
    LOOK_AT_THE_PICTURE,
    PICTURE,
    PROOF,
    SEARCH_THE_WEB,
    SIGNATURE,
    THOUGHT,
    offered,
    results,
    thoughts,
    tool_turn,
)
from tests.stack import Stack
from tests.upstream import Script, Upstream

pytestmark = [pytest.mark.agents, pytest.mark.slow]

PROGRAM = INSTALLED / "@anthropic-ai" / "claude-code" / "cli-wrapper.cjs"
QUIET = {
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
    "DISABLE_AUTOUPDATER": "1",
    "CLAUDE_CODE_MAX_RETRIES": "1",
    "API_TIMEOUT_MS": "20000",
}
DIALECTS = ["claude-relayed", "claude-translated", "claude-opus-5-5-translated"]
PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAgAAAAICAIAAABLbSncAAAAEklEQVR4nGP4z8CAFWEXHbQSACj/P8Fu7N9hAAAAAElFTkSuQmCC"
)
Recorded = Callable[[str, int], tuple[int, int, int]]


class Claude:
    """The program with a home, a folder and one session."""

    def __init__(self, place: Path, **settings: str) -> None:
        self.session = str(uuid.uuid4())
        self.home, self.folder = place / "home", place / "work"
        self._settings = settings

    def begin(self, prompt: str, *arguments: str, **settings: str) -> dict[str, Any]:
        """Say the first words of the session; the result as it prints it."""
        return self._result(["--session-id", self.session, "-p", prompt, *arguments], settings)

    def go_on(self, prompt: str, *arguments: str, **settings: str) -> dict[str, Any]:
        """Say more in the same session."""
        return self._result(["--resume", self.session, "-p", prompt, *arguments], settings)

    def events(self, prompt: str) -> list[dict[str, Any]]:
        """Say the first words of the session; all that it prints of the answer while that comes in."""
        streaming = ["--output-format", "stream-json", "--verbose", "--include-partial-messages"]
        printed = self._printed(["--session-id", self.session, "-p", prompt, *streaming], {})
        return [json.loads(line) for line in printed.splitlines()]

    def _result(self, arguments: list[str], settings: dict[str, str]) -> dict[str, Any]:
        result: dict[str, Any] = json.loads(self._printed([*arguments, "--output-format", "json"], settings))
        return result

    def _printed(self, arguments: list[str], settings: dict[str, str]) -> str:
        done = run(
            ["node", PROGRAM, *arguments],
            home=self.home,
            folder=self.folder,
            settings=self._settings | settings,
        )
        assert done.stdout, done.stderr
        return done.stdout


@pytest.fixture
def claude(gateway: Stack, key: str, tmp_path: Path) -> Claude:
    return Claude(tmp_path, ANTHROPIC_BASE_URL=gateway.base_url, ANTHROPIC_AUTH_TOKEN=key, **QUIET)


@pytest.mark.parametrize("variable", ["ANTHROPIC_AUTH_TOKEN", "ANTHROPIC_API_KEY"])
def test_with_an_address_and_a_key_alone_the_simulator_answers(
    fresh: Stack, tmp_path: Path, recorded: Recorded, variable: str
) -> None:
    claude = Claude(tmp_path, ANTHROPIC_BASE_URL=fresh.base_url, **{variable: fresh.api_key})

    result = claude.begin("Say hello.")

    assert (result["is_error"], result["stop_reason"]) == (False, "end_turn")
    assert result["result"].startswith(
        'This is a simulated reply: no model was asked. You wrote "Say hello.".'
    )
    assert list(result["modelUsage"]) == ["claude-opus-5-5"]
    assert recorded(claude.session, 1) == (
        1,
        result["usage"]["input_tokens"],
        result["usage"]["output_tokens"],
    )


def test_it_prints_an_answer_while_that_comes_in_and_goes_on_later(
    fresh: Stack, tmp_path: Path, recorded: Recorded
) -> None:
    claude = Claude(tmp_path, ANTHROPIC_BASE_URL=fresh.base_url, ANTHROPIC_AUTH_TOKEN=fresh.api_key)

    *events, last = claude.events("Say hello.")
    later = claude.go_on("And again?")

    deltas = [event["event"].get("delta", {}) for event in events if event["type"] == "stream_event"]
    pieces = [delta["text"] for delta in deltas if delta.get("type") == "text_delta"]
    assert len(pieces) > 1
    assert "".join(pieces) == last["result"]
    assert (later["is_error"], later["session_id"]) == (False, claude.session)
    assert 'You wrote "And again?"' in later["result"]
    assert recorded(claude.session, 2)[0] == 2


@pytest.mark.parametrize("family", ["opus", "sonnet", "haiku", "fable"])
def test_the_families_have_simulated_models(claude: Claude, family: str) -> None:
    assert claude.begin("Say hello.", "--model", family)["result"].startswith("This is a simulated reply")


@pytest.mark.parametrize("model", DIALECTS)
def test_a_text_turn(claude: Claude, upstream: Upstream, model: str, recorded: Recorded) -> None:
    script = upstream.answered_by(tool_turn)

    result = claude.begin(f"Say hello. {script}", ANTHROPIC_MODEL=model)
    (received,) = upstream.received(script)

    assert (result["is_error"], result["result"]) == (False, "Nothing to do here.")
    assert received.json["stream"] is True
    assert (result["usage"]["output_tokens"], recorded(claude.session, 1)) == (12, (1, 25, 12))


@pytest.mark.parametrize("model", DIALECTS)
def test_a_turn_in_which_it_runs_a_tool(
    claude: Claude, upstream: Upstream, model: str, recorded: Recorded
) -> None:
    script = upstream.answered_by(tool_turn)

    result = claude.begin(f"{LEAVE_A_PROOF} {script}", "--allowedTools", "Bash", ANTHROPIC_MODEL=model)
    first, second = upstream.received(script)

    assert (result["is_error"], result["result"], result["permission_denials"]) == (False, LAST_WORDS, [])
    assert (claude.folder / "proof.txt").read_text() == PROOF + "\n"
    assert [results(first), results(second)] == [[], [PROOF]]
    assert [first.json["stream"], second.json["stream"]] == [True, True]
    assert recorded(claude.session, 2) == (2, 50, 24)


@pytest.mark.parametrize(
    ("model", "thought"),
    [
        ("claude-relayed", {"type": "thinking", "thinking": THOUGHT, "signature": SIGNATURE}),
        ("claude-reasoning", THOUGHT),
    ],
)
def test_thinking_comes_back_to_a_provider_that_wants_it(
    claude: Claude, upstream: Upstream, model: str, thought: Any
) -> None:
    script = upstream.answered_by(tool_turn)

    claude.begin(f"{LEAVE_A_PROOF} {script}", "--allowedTools", "Bash", ANTHROPIC_MODEL=model)
    _, second = upstream.received(script)

    assert thoughts(second) == [thought]


OVERFLOW = (
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens."
)


def test_it_compacts_the_conversation_when_a_provider_says_that_it_is_too_long(
    claude: Claude, upstream: Upstream
) -> None:
    overflow = provider.reply(400, chat.error(OVERFLOW, code="context_length_exceeded"))
    answers = iter(
        [*map(_says, ["One.", "Two."]), overflow, _says("<summary>Both.</summary>"), _says("Three.")]
    )
    script = upstream.answered_by(lambda _: next(answers))

    claude.begin(f"First. {script}", ANTHROPIC_MODEL="claude-translated")
    claude.go_on(f"Second. {script}", ANTHROPIC_MODEL="claude-translated")
    result = claude.go_on(f"Third. {script}", ANTHROPIC_MODEL="claude-translated")
    *_, summary, last = upstream.received(script)

    assert (result["is_error"], result["result"]) == (False, "Three.")
    assert "summary" in summary.json["messages"][-1]["content"]
    assert "Both." in json.dumps(last.json["messages"])


def test_a_web_search_that_the_provider_cannot_make_is_told_to_the_model(
    claude: Claude, upstream: Upstream
) -> None:
    """The search is a request of its own for a tool that only Anthropic's servers run."""
    script = upstream.answered_by(tool_turn)

    result = claude.begin(
        f"{SEARCH_THE_WEB} {script}", "--allowedTools", "WebSearch", ANTHROPIC_MODEL="claude-translated"
    )
    last = upstream.received(script)[-1]

    assert result["result"] == LAST_WORDS
    assert "web_search_20250305" in results(last)[-1]


def test_a_picture_that_it_reads_reaches_the_provider_as_it_is(claude: Claude, upstream: Upstream) -> None:
    script = upstream.answered_by(tool_turn)
    claude.folder.mkdir(parents=True)
    (claude.folder / PICTURE).write_bytes(PNG)

    result = claude.begin(
        f"{LOOK_AT_THE_PICTURE} {script}", "--allowedTools", "Read", ANTHROPIC_MODEL="claude-translated"
    )
    _, second = upstream.received(script)

    assert result["result"] == LAST_WORDS
    shown = [part for part in second.json["messages"][-1]["content"] if part["type"] == "image_url"]
    assert shown == [
        {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{base64.b64encode(PNG).decode()}"}}
    ]


@pytest.mark.parametrize("model", DIALECTS)
def test_a_tool_runs_whose_name_is_longer_than_some_providers_take(
    claude: Claude, upstream: Upstream, model: str
) -> None:
    """It is fetched first: Claude Code only names the tools of MCP servers until they are wanted."""
    script = upstream.answered_by(tool_turn)
    server = {"command": sys.executable, "args": [str(Path(__file__).parent / "archive.py")]}
    servers = json.dumps({"mcpServers": {ARCHIVE.split("__")[1]: server}})

    result = claude.begin(
        f"{ASK_THE_ARCHIVE} {script}",
        "--mcp-config",
        servers,
        "--allowedTools",
        ARCHIVE,
        ANTHROPIC_MODEL=model,
    )
    first, fetched, last = upstream.received(script)

    assert (result["result"], result["permission_denials"]) == (LAST_WORDS, [])
    assert results(last)[-1] == "Nothing is written down about Gateways."
    (name,) = set(offered(fetched)) - set(offered(first))
    longest = 128 if model == "claude-relayed" else 64
    assert name[:50] == ARCHIVE[:50]
    assert max(map(len, offered(fetched))) <= longest


def test_it_finds_the_models_whose_names_or_aliases_begin_with_claude(claude: Claude) -> None:
    claude.begin(
        "Say hello.",
        CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY="1",
        CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC="",
    )
    found = json.loads((claude.home / ".claude" / "cache" / "gateway-models.json").read_text())

    assert {"claude-relayed", "claude-translated", "claude-opus-5-5"} <= {
        one["id"] for one in found["models"]
    }


def test_a_conversation_goes_on_at_a_provider_of_the_other_dialect(
    claude: Claude, upstream: Upstream
) -> None:
    script = upstream.answered_by(tool_turn)

    claude.begin(f"{LEAVE_A_PROOF} {script}", "--allowedTools", "Bash", ANTHROPIC_MODEL="claude-translated")
    result = claude.go_on("And now?", ANTHROPIC_MODEL="claude-relayed")
    last = upstream.received(script)[-1]

    assert result["result"] == LAST_WORDS
    assert (last.target, thoughts(last)) == ("/v1/messages?beta=true", [])


def _says(text: str) -> Script:
    return provider.streamed(chat.frames(chat.chunks([text])))
