"""What is known of a request besides its figures, each with the filter that finds others like it."""

from __future__ import annotations

import dataclasses
from urllib.parse import urlencode

from admin_api.queries.log_entries import Entry
from gateway.models import LimitBlock


@dataclasses.dataclass(frozen=True)
class Fact:
    """`filter` is a query of the logs, "" where there is none."""

    label: str
    value: str
    filter: str = ""


def facts_of(entry: Entry) -> list[Fact]:
    """Of the attempt that a request ended with; what is empty is left out."""
    found = [
        Fact("Model asked for", entry.model_requested),
        Fact("Model", entry.model, _filter(model=entry.model)),
        Fact("Served by", f"{entry.provider}, as {entry.upstream_model}"),
        Fact(
            "Workspace", entry.workspace_name or entry.workspace_id, _filter(workspace_id=entry.workspace_id)
        ),
        Fact("API key", entry.key_name or entry.api_key_id, _filter(api_key_id=entry.api_key_id)),
        Fact("Key acts for", entry.member),
        Fact("Endpoint", f"/v1/{entry.endpoint}"),
        Fact("Answer", "streamed" if entry.stream else "in one piece"),
        Fact("Service tier", entry.service_tier),
        Fact("Inference geography", entry.inference_geo),
        Fact("Client", entry.user_agent, _filter(client=entry.user_agent)),
        Fact("Session", entry.session_id, _filter(session_id=entry.session_id)),
        Fact("Attempts", str(entry.attempt)),
    ]
    return [fact for fact in found if fact.value]


def refusal_facts(block: LimitBlock) -> list[Fact]:
    found = [
        Fact("Model", block.model, _filter(model=block.model)),
        Fact("Workspace", block.workspace_id, _filter(workspace_id=block.workspace_id)),
        Fact("API key", block.api_key_id, _filter(api_key_id=block.api_key_id)),
        Fact("Endpoint", f"/v1/{block.endpoint}"),
    ]
    return [fact for fact in found if fact.value]


def _filter(**given: str) -> str:
    return f"?{urlencode(given)}"
