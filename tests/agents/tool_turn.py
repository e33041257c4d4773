"""A model that calls one tool of the agent's and, once it is told the result, says so; in both dialects.

A tool that Claude Code only names is fetched first, with its `ToolSearch`. Agents ask more than what their user said
(for a title, a summary, a count). A request that is not about one of the wishes, or that offers no tool for it, gets
plain text.
"""

from __future__ import annotations

import json
from typing import Any

from tests import openai_provider as chat
from tests import upstream as provider
from tests.upstream import Received, Script

Json = dict[str, Any]

LEAVE_A_PROOF = "Please leave the proof."
SEARCH_THE_WEB = "Please search the web."
LOOK_AT_THE_PICTURE = "Please look at the picture."
ASK_THE_ARCHIVE = "Please ask the archive."
PICTURE = "picture.png"
ARCHIVE = "mcp__archive_of_everything_that_was_ever_written_down__find_one_entry_by_its_title"
PROOF = "gateway-was-here"
LAST_WORDS = "I have seen the result."
THOUGHT = "There is a tool for that."
SIGNATURE = "c2lnbmVkIGJ5IHRoZSBwcm92aWRlcg=="

_FETCH = "ToolSearch"
_COMMAND = f"echo {PROOF} > proof.txt && cat proof.txt"
_PROGRAM = f"const ran = await tools.exec_command({json.dumps({'cmd': _COMMAND})}); text(ran.output);"
_CALLS = {
    LEAVE_A_PROOF: {
        "Bash": {"command": _COMMAND, "description": "Leave the proof"},  # Claude Code
        "exec_command": {"cmd": _COMMAND},  # Codex
        "exec": {"input": _PROGRAM},  # Codex with models that it lets write programs
    },
    SEARCH_THE_WEB: {"WebSearch": {"query": "gateways of the world"}},
    LOOK_AT_THE_PICTURE: {"Read": {"file_path": PICTURE}},
    ASK_THE_ARCHIVE: {ARCHIVE: {"title": "Gateways"}},
}


def tool_turn(request: Received) -> Script:
    """The next step of the conversation that `request` tells of."""
    path = request.target.partition("?")[0]
    if path.endswith("/count_tokens"):
        return provider.reply(200, {"input_tokens": 42})
    dialect = _OpenAI if path.endswith("/chat/completions") else _Anthropic
    asked = request.json
    told = json.dumps(asked["messages"])
    wished = next((calls for wish, calls in _CALLS.items() if wish in told), {})
    call = _call(wished, dialect.offered(asked), dialect.called(asked))
    if call is None:
        return dialect.says("Nothing to do here.", asked)
    if call[0] in dialect.called(asked):
        return dialect.says(LAST_WORDS, asked)
    return dialect.calls(*call, asked)


def _call(wished: Json, offered: list[str], called: list[str]) -> tuple[str, Json] | None:
    """The call that fulfils the wish, or the one that fetches its tool."""
    for name in offered:
        for wanted, arguments in wished.items():
            if name == wanted or _is_short_for(name, wanted):
                return name, arguments
    if wished and _FETCH in offered and _FETCH not in called:
        return _FETCH, {"query": f"select:{','.join(wished)}"}
    return None


def _is_short_for(name: str, wanted: str) -> bool:
    """A name that became too long on its way keeps its beginning."""
    return len(wanted) > 64 and len(name) <= 64 and name[:50] == wanted[:50]


def thoughts(request: Received) -> list[Any]:
    """The thinking that a request brings back."""
    dialect = _OpenAI if request.target.endswith("/chat/completions") else _Anthropic
    return dialect.thoughts(request.json)


def offered(request: Received) -> list[str]:
    """The names of the tools in a request."""
    dialect = _OpenAI if request.target.endswith("/chat/completions") else _Anthropic
    return dialect.offered(request.json)


def results(request: Received) -> list[str]:
    """What the request tells of tools that ran."""
    dialect = _OpenAI if request.target.endswith("/chat/completions") else _Anthropic
    return dialect.results(request.json)


class _Anthropic:
    @staticmethod
    def thoughts(asked: Json) -> list[Any]:
        turns = [turn["content"] for turn in asked["messages"] if isinstance(turn["content"], list)]
        return [block for content in turns for block in content if block["type"] == "thinking"]

    @staticmethod
    def offered(asked: Json) -> list[str]:
        return [tool["name"] for tool in asked.get("tools", [])]

    @staticmethod
    def called(asked: Json) -> list[str]:
        turns = [turn["content"] for turn in asked["messages"] if isinstance(turn["content"], list)]
        return [block["name"] for content in turns for block in content if block["type"] == "tool_use"]

    @staticmethod
    def results(asked: Json) -> list[str]:
        turns = [turn["content"] for turn in asked["messages"] if isinstance(turn["content"], list)]
        blocks = [block for content in turns for block in content if block["type"] == "tool_result"]
        return [_text(block["content"]) for block in blocks]

    @staticmethod
    def says(text: str, asked: Json) -> Script:
        if asked.get("stream"):
            return provider.streamed(provider.frames(_answering(asked, provider.events([text]))))
        return provider.reply(200, provider.message(text, model=asked["model"]))

    @staticmethod
    def calls(name: str, arguments: dict[str, str], asked: Json) -> Script:
        """Signed thinking first, then the call in pieces."""
        opening, *_ = _answering(asked, provider.events())
        thought = {"type": "thinking", "thinking": "", "signature": ""}
        call = {
            "type": "tool_use",
            "id": f"toolu_{len(_Anthropic.called(asked)):02}Proof",
            "name": name,
            "input": {},
        }
        said = [
            {"type": "thinking_delta", "thinking": THOUGHT},
            {"type": "signature_delta", "signature": SIGNATURE},
        ]
        pieces = [
            {"type": "input_json_delta", "partial_json": piece} for piece in _halves(json.dumps(arguments))
        ]
        ending = {"stop_reason": "tool_use", "stop_sequence": None}
        return provider.streamed(
            provider.frames(
                [
                    opening,
                    *_block(0, thought, said),
                    *_block(1, call, pieces),
                    {"type": "message_delta", "delta": ending, "usage": {"output_tokens": 12}},
                    {"type": "message_stop"},
                ]
            )
        )


def _answering(asked: Json, events: list[Json]) -> list[Json]:
    """The events of one message of the model that was asked: Claude Code forgets the thinking of any other model,
    and takes messages of one id for one."""
    events[0]["message"] |= {"model": asked["model"], "id": f"msg_{len(asked['messages']):02}Provider"}
    return events


def _block(index: int, opening: Json, deltas: list[Json]) -> list[Json]:
    return [
        {"type": "content_block_start", "index": index, "content_block": opening},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


class _OpenAI:
    @staticmethod
    def thoughts(asked: Json) -> list[Any]:
        return [turn["reasoning_content"] for turn in asked["messages"] if "reasoning_content" in turn]

    @staticmethod
    def offered(asked: Json) -> list[str]:
        return [tool["function"]["name"] for tool in asked.get("tools", [])]

    @staticmethod
    def called(asked: Json) -> list[str]:
        calls = [call for turn in asked["messages"] for call in turn.get("tool_calls", [])]
        return [call["function"]["name"] for call in calls]

    @staticmethod
    def results(asked: Json) -> list[str]:
        return [_text(turn["content"]) for turn in asked["messages"] if turn["role"] == "tool"]

    @staticmethod
    def says(text: str, asked: Json) -> Script:
        if asked.get("stream"):
            return provider.streamed(chat.frames(chat.chunks([text])))
        return provider.reply(200, chat.completion(text))

    @staticmethod
    def calls(name: str, arguments: dict[str, str], asked: Json) -> Script:
        """Thought first, as reasoning models do, then the call in pieces."""
        first, second = _halves(json.dumps(arguments))
        opening = {"index": 0, **chat.call(name, first, f"call_{len(_OpenAI.called(asked))}")}
        return provider.streamed(
            chat.frames(
                [
                    chat.chunk({"role": "assistant", "content": None, "reasoning_content": THOUGHT}),
                    chat.chunk({"tool_calls": [opening]}),
                    chat.chunk({"tool_calls": [{"index": 0, "function": {"arguments": second}}]}),
                    *chat.chunks([], finish_reason="tool_calls")[1:],
                ]
            )
        )


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


def _text(content: Any) -> str:
    return content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
