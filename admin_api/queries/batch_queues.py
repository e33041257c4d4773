"""How many items of message batches wait or run, which their queues have room for: one query."""

from __future__ import annotations

from collections.abc import Mapping

from django.db.models import F, Q, Sum

from gateway.models import MessageBatch, Organization


def queued_items(organization: Organization, holders: Mapping[str, str]) -> dict[str, int]:
    """Of the organization, and of a workspace and a key where `holders` has their ids, by type."""
    left = Sum(F("total") - F("succeeded") - F("errored") - F("canceled") - F("expired"))
    parts = {}
    if "workspace" in holders:
        parts["of_workspace"] = Q(workspace=holders["workspace"])
    if "api_key" in holders:
        parts["of_api_key"] = Q(api_key_id=holders["api_key"])
    running = MessageBatch.objects.filter(organization=organization).exclude(status=MessageBatch.Status.ENDED)
    sums = {"of_organization": left} | {
        name: Sum(F("total") - F("succeeded") - F("errored") - F("canceled") - F("expired"), filter=which)
        for name, which in parts.items()
    }
    return {name.removeprefix("of_"): found or 0 for name, found in running.aggregate(**sums).items()}
