"""A request of the log, to be tried again in the Playground: its model, and what it asked where that is kept."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from admin_api import access
from admin_api.queries.member_workspaces import playground_workspaces
from admin_api.queries.request_contents import is_kept, may_read
from dashboard.frame.place import Place
from gateway.errors import InvalidRequest
from gateway.models import UsageEvent

MESSAGES = "messages"  # the endpoint whose bodies are of the Playground's own form


@dataclasses.dataclass(frozen=True)
class Logged:
    """`readable`: what it asked is kept, and this member may read it."""

    request_id: str
    workspace_id: str
    model: str
    readable: bool


def logged(place: Place, request_id: str) -> Logged | None:
    """None for what is not there, or was asked in a workspace that is not the member's to use."""
    workspaces = playground_workspaces(place.membership).values("id")
    rows = UsageEvent.objects.filter(organization_id=place.organization.id, request_id=request_id)
    rows = rows.filter(workspace_id__in=workspaces)
    found = None if "\x00" in request_id else rows.order_by("-attempt").first()
    if found is None:
        return None
    readable = found.endpoint == MESSAGES and _may_read(place, found)
    return Logged(found.request_id, found.workspace_id, found.model, readable)


def _may_read(place: Place, event: UsageEvent) -> bool:
    workspace = access.workspace(place.organization, event.workspace_id)
    return may_read(place.membership, workspace) and is_kept(place.organization, event.request_id)


def as_content(model: str, body: bytes) -> dict[str, object]:
    """The body of a request as the page's script takes it: the last thing said is ready to be sent again.

    Raises `InvalidRequest` for what is no request that could have been answered.
    """
    try:
        asked = json.loads(body)
        said = list(asked["messages"])
        return {"model": model, **_settings(asked), **_conversation(said)}
    except (ValueError, LookupError, TypeError, AttributeError):
        raise InvalidRequest("What this request asked cannot be read.") from None


def _settings(asked: dict[str, Any]) -> dict[str, object]:
    thinking = asked.get("thinking") or {}
    ways = {"enabled": "budget", "adaptive": "adaptive"}
    found: dict[str, object] = {
        "system": _words(asked.get("system") or ""),
        "tools": json.dumps(asked["tools"], indent=2, ensure_ascii=False) if asked.get("tools") else "",
        "thinking": ways.get(str(thinking.get("type")), "off"),
        "budget": thinking.get("budget_tokens"),
        "effort": (asked.get("output_config") or {}).get("effort"),
        "max_tokens": asked.get("max_tokens"),
        "temperature": asked.get("temperature"),
    }
    return {name: value for name, value in found.items() if value is not None}


def _conversation(said: list[dict[str, Any]]) -> dict[str, object]:
    """`messages` up to the last one of the user's, whose parts are what is about to be sent."""
    if not said or said[-1]["role"] != "user":
        return {"messages": said}
    blocks = _blocks(said[-1]["content"])
    results = {one["tool_use_id"]: _words(one.get("content") or "") for one in _of(blocks, "tool_result")}
    images = [
        {"name": "image", "type": one["source"]["media_type"], "data": one["source"]["data"]}
        for one in _of(blocks, "image")
        if one["source"]["type"] == "base64"
    ]
    return {"messages": said[:-1], "message": _words(blocks), "results": results, "images": images}


def _words(content: str | list[dict[str, Any]]) -> str:
    return "\n\n".join(one["text"] for one in _of(_blocks(content), "text"))


def _of(blocks: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [one for one in blocks if one["type"] == kind]


def _blocks(content: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"type": "text", "text": content}] if isinstance(content, str) else content
