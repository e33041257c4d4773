"""One answer as a provider of either dialect tells it, for clients that must not see the difference.

The figures of usage are the same in both: 20 tokens of input and 5 from a cache, 12 of output.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from tests import openai_provider as chat
from tests import upstream as provider
from tests.data_plane.house import HASTY_TRANSLATED, TRANSLATED
from tests.upstream import Script, reply, streamed

Json = dict[str, Any]

USAGE = provider.USAGE | {"input_tokens": 20, "cache_read_input_tokens": 5}
IN_OPENAI = (TRANSLATED, HASTY_TRANSLATED)
_FINISH_REASONS = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "tool_use": "tool_calls",
    "max_tokens": "length",
}


class Call(NamedTuple):
    """A call of a tool, its arguments in the pieces in which they are streamed."""

    id: str
    name: str
    pieces: tuple[str, ...]

    @property
    def arguments(self) -> str:
        return "".join(self.pieces)


class Said(NamedTuple):
    """`text` and `thought` in pieces; `ends` by Anthropic's name; `refusal` says why there is no answer."""

    text: tuple[str, ...] = ()
    thought: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    ends: str = "end_turn"
    refusal: str = ""


HELLO = Said(("Hello", " from", " the", " provider."))


def script_of(model: str, said: Said, *, stream: bool, delay: float = 0) -> Script:
    """What the provider of `model` does."""
    if not stream:
        return reply(200, _completion(said) if model in IN_OPENAI else _message(said))
    return streamed(frames_of(model, said), delay=delay)


def frames_of(model: str, said: Said) -> list[bytes]:
    if model in IN_OPENAI:
        return chat.frames(_chunks(said))
    return provider.frames(_events(said))


# In Anthropic's dialect


def _message(said: Said) -> Json:
    return provider.message(
        content=[block for block, _ in _blocks(said)], usage=USAGE, **_stop(said), stop_sequence=None
    )


def _stop(said: Said) -> Json:
    if said.refusal:
        details = {"type": "refusal", "category": "cyber", "explanation": said.refusal}
        return {"stop_reason": "refusal", "stop_details": details}
    return {"stop_reason": said.ends}


def _blocks(said: Said) -> Iterator[tuple[Json, list[Json]]]:
    """Each block whole, and the deltas that tell it."""
    if said.thought:
        whole = {"type": "thinking", "thinking": "".join(said.thought), "signature": "c2lnbmVk"}
        deltas = [{"type": "thinking_delta", "thinking": piece} for piece in said.thought]
        yield whole, [*deltas, {"type": "signature_delta", "signature": "c2lnbmVk"}]
    if said.text:
        yield (
            {"type": "text", "text": "".join(said.text)},
            [{"type": "text_delta", "text": piece} for piece in said.text],
        )
    for call in said.calls:
        whole = {"type": "tool_use", "id": call.id, "name": call.name, "input": json.loads(call.arguments)}
        yield whole, [{"type": "input_json_delta", "partial_json": piece} for piece in call.pieces]


_EMPTY: dict[str, Json] = {
    "thinking": {"thinking": "", "signature": ""},
    "text": {"text": ""},
    "tool_use": {"input": {}},
}


def _events(said: Said) -> list[Json]:
    opening = provider.message(content=[], stop_reason=None, usage={**USAGE, "output_tokens": 1})
    events: list[Json] = [{"type": "message_start", "message": opening}, {"type": "ping"}]
    for index, (whole, deltas) in enumerate(_blocks(said)):
        empty = {**whole, **_EMPTY[whole["type"]]}
        events += [
            {"type": "content_block_start", "index": index, "content_block": empty},
            *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
            {"type": "content_block_stop", "index": index},
        ]
    delta = {**_stop(said), "stop_sequence": None}
    spent = {"output_tokens": USAGE["output_tokens"]}
    return [*events, {"type": "message_delta", "delta": delta, "usage": spent}, {"type": "message_stop"}]


# In OpenAI's


def _completion(said: Said) -> Json:
    told: Json = {}
    if said.thought:
        told["reasoning_content"] = "".join(said.thought)
    if said.calls:
        told["tool_calls"] = [chat.call(call.name, call.arguments, call.id) for call in said.calls]
    if said.refusal:
        told["refusal"] = said.refusal
    return chat.completion(
        "".join(said.text) or None,
        finish_reason=_FINISH_REASONS[said.ends],
        **told,
    )


def _chunks(said: Said) -> list[Json]:
    deltas: list[Json] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in said.thought]
    deltas += [{"content": piece} for piece in said.text]
    deltas += [{"refusal": said.refusal}] if said.refusal else []
    for index, call in enumerate(said.calls):
        begun = {"index": index, **chat.call(call.name, "", call.id)}
        deltas.append({"tool_calls": [begun]})
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": piece}}]} for piece in call.pieces
        ]
    return [
        *(chat.chunk(delta) for delta in deltas),
        chat.chunk({}, _FINISH_REASONS[said.ends]),
        {**chat.chunk({}), "choices": [], "usage": chat.USAGE},
    ]
