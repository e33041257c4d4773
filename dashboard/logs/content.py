"""What a request asked and was answered, as a conversation where that can be told, and as it went over the wire.

Everything here was written by people and models: it is shown as text, and never trusted to have a form.
"""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from admin_api import access
from admin_api.actions.request_contents import Content
from admin_api.queries.request_contents import is_kept, may_read
from dashboard.frame.place import Place
from gateway.contents.headers import Headers
from gateway.errors import NotFound
from gateway.protocol.anthropic.fold import StreamedFailure, message_of
from gateway.protocol.anthropic.relay import MalformedStream

MESSAGES = "messages"  # the endpoint whose bodies make a conversation
LONGEST = 200_000  # characters that a page shows of one body
KEPT, NOT_KEPT, HIDDEN = "kept", "not kept", "hidden"


@dataclasses.dataclass(frozen=True)
class Part:
    """`kind` is the block's type; `text` what it holds, JSON where that is no text."""

    kind: str
    text: str


@dataclasses.dataclass(frozen=True)
class Turn:
    role: str
    parts: list[Part]


@dataclasses.dataclass(frozen=True)
class Said:
    """`turns` is empty where the bodies make no conversation; `asked` and `answered` are the bodies, and `head` and
    `answers_head` the headers of each as lines, empty where they are not known."""

    turns: list[Turn]
    head: str
    answers_head: str
    asked: str
    answered: str
    cut: bool


def standing(place: Place, workspace_id: str, request_id: str) -> str:
    """Whether the content is `kept` for this member to read, `hidden` from them, or `not kept`."""
    if not is_kept(place.organization, request_id):
        return NOT_KEPT
    return KEPT if _may_read(place, workspace_id) else HIDDEN


def said(content: Content) -> Said:
    answered = content.response.decode(errors="replace")
    return Said(
        _turns(content) if content.endpoint == MESSAGES else [],
        _lines(content.headers.asked) if content.headers else "",
        _lines(content.headers.answered) if content.headers else "",
        _shortened(_indented(content.request.decode(errors="replace"))),
        _shortened(answered if content.streamed else _indented(answered)),
        content.cut,
    )


def _may_read(place: Place, workspace_id: str) -> bool:
    try:
        return may_read(place.membership, access.workspace(place.organization, workspace_id))
    except NotFound:
        return False


def _turns(content: Content) -> list[Turn]:
    try:
        asked = json.loads(content.request)
        system = [Turn("system", _parts(asked["system"]))] if asked.get("system") else []
        before = [Turn(str(one["role"]), _parts(one["content"])) for one in asked["messages"]]
        return [*system, *before, *_answer(content)]
    except (ValueError, LookupError, TypeError, AttributeError):
        return []


def _answer(content: Content) -> list[Turn]:
    """Nothing where the answer was cut short or is no message."""
    try:
        whole = message_of(content.response) if content.streamed else content.response
    except (MalformedStream, StreamedFailure):
        return []
    message = json.loads(whole)
    return [Turn("assistant", _parts(message["content"]))] if message.get("type") == "message" else []


def _parts(content: Any) -> list[Part]:
    blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
    return [_part(block) for block in blocks]


def _part(block: dict[str, Any]) -> Part:
    kind = str(block["type"])
    for field in ("text", "thinking"):
        if kind == field and isinstance(block.get(field), str):
            return Part(kind, _shortened(block[field]))
    source = block.get("source")
    if isinstance(source, dict) and isinstance(source.get("data"), str):
        size = len(source["data"])
        return Part(kind, f"{source.get('media_type', 'data')}, {size:,} characters of base64")
    rest = {
        name: value for name, value in block.items() if name not in ("type", "signature", "cache_control")
    }
    return Part(kind, _shortened(json.dumps(rest, indent=2, ensure_ascii=False)))


def _lines(headers: Headers) -> str:
    return _shortened("\n".join(f"{name}: {value}" for name, value in headers))


def _indented(text: str) -> str:
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except ValueError:
        return text


def _shortened(text: str) -> str:
    if len(text) <= LONGEST:
        return text
    return f"{text[:LONGEST]}\n… {len(text) - LONGEST:,} characters more"
