"""What a client of chat completions sees of an answer."""

from __future__ import annotations

import json
from typing import Any


def frames(stream: bytes) -> list[Any]:
    """Each frame as the JSON of its data, or as its text: a comment, `[DONE]`."""
    assert stream.endswith(b"\n\n") or not stream
    return [_frame(frame) for frame in stream.decode().split("\n\n")[:-1]]


def _frame(frame: str) -> Any:
    data = frame.removeprefix("data: ")
    return json.loads(data) if data.startswith("{") else data


def folded(stream: bytes) -> dict[str, Any]:
    """The completion that the chunks of one choice add up to, as an SDK would put it together."""
    *chunks, done = [frame for frame in frames(stream) if frame != ": ping"]
    assert done == "[DONE]"
    message: dict[str, Any] = {
        "role": "",
        "content": "",
        "reasoning_content": "",
        "refusal": "",
        "tool_calls": [],
    }
    whole: dict[str, Any] = {"message": message, "finish_reason": None, "usage": None}
    for chunk in chunks:
        whole |= {name: chunk[name] for name in ("id", "created", "model")}
        whole["usage"] = chunk.get("usage") or whole["usage"]
        for choice in chunk["choices"]:
            whole["finish_reason"] = choice["finish_reason"] or whole["finish_reason"]
            _add(message, choice["delta"])
    return whole


def _add(message: dict[str, Any], delta: dict[str, Any]) -> None:
    for name in ("role", "content", "reasoning_content", "refusal"):
        message[name] += delta.get(name) or ""
    for fragment in delta.get("tool_calls", []):
        calls = message["tool_calls"]
        if fragment["index"] == len(calls):
            calls.append({"id": fragment["id"], "name": fragment["function"]["name"], "arguments": ""})
        calls[fragment["index"]]["arguments"] += fragment["function"]["arguments"]
