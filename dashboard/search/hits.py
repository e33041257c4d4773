"""What a few letters find for a member: pages, keys, workspaces, people, batches, requests; only what they may see."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from itertools import islice

from django.db.models import Q
from django.urls import reverse

from admin_api import access
from admin_api.queries.api_keys import keys_for
from admin_api.queries.member_workspaces import visible_workspaces
from admin_api.queries.members import members
from admin_api.queries.message_batches import message_batches
from dashboard.frame.navigation import MAKE_KEYS, OPERATED, READ_PEOPLE, entries_for
from dashboard.frame.place import Place
from dashboard.frame.request_ids import request_id_in
from gateway.errors import NotFound

MOST = 6  # of one kind
LONGEST = 100  # characters of a query


@dataclasses.dataclass(frozen=True)
class Hit:
    kind: str
    label: str
    href: str
    note: str = ""


def found(place: Place, query: str) -> list[Hit]:
    """Every page for an empty query, else what holds the query's words or is named by an id in it."""
    words = query[:LONGEST].strip()
    hits = [*_pages(place, words)]
    if words and "\x00" not in words:
        hits += [
            *_keys(place, words),
            *_workspaces(place, words),
            *_members(place, words),
            *_batches(place, words),
            *_requests(place, words),
        ]
    return hits


def _pages(place: Place, words: str) -> Iterator[Hit]:
    operator = place.user.is_operator
    for entry in (*entries_for(place.role, operator=operator), *(OPERATED if operator else ())):
        if words.lower() in entry.label.lower():
            yield Hit("Page", entry.label, reverse(entry.url))


def _workspaces(place: Place, words: str) -> Iterator[Hit]:
    rows = visible_workspaces(place.membership).filter(
        Q(name__icontains=words) | Q(id=words), archived_at=None
    )
    for workspace in rows.order_by("name", "id")[:MOST]:
        yield Hit("Workspace", workspace.name, reverse("workspace", args=[workspace.id]))


def _members(place: Place, words: str) -> Iterator[Hit]:
    if place.role not in READ_PEOPLE:
        return
    rows = members(place.organization).filter(
        Q(user__name__icontains=words) | Q(user__email__icontains=words) | Q(user_id=words)
    )
    for member in rows.order_by("user__email")[:MOST]:
        label = member.user.name or member.user.email
        note = member.user.email if member.user.name else ""
        yield Hit("Member", label, reverse("member", args=[member.user_id]), note)


def _keys(place: Place, words: str) -> Iterator[Hit]:
    """By a part of the name, the last four characters, or the id; a whole key is not looked for in addresses."""
    if place.role not in MAKE_KEYS or words.startswith("sk-gw-"):
        return
    known = Q(name__icontains=words) | Q(id=words) | Q(hint__endswith=f"...{words}")
    rows = keys_for(place.membership).filter(known).order_by("-created_at")
    for key in rows[:MOST]:
        yield Hit("API key", key.name, reverse("api_key", args=[key.id]), key.hint)


def _batches(place: Place, words: str) -> Iterator[Hit]:
    """By the beginning of the id."""
    if not words.startswith("msgbatch_"):
        return
    rows = message_batches(place.membership).filter(id__startswith=words).order_by("-created_at")
    for batch in islice(rows, MOST):
        yield Hit("Batch", batch.id, reverse("batch", args=[batch.id]), batch.workspace.name)


def _requests(place: Place, words: str) -> Iterator[Hit]:
    """By the whole id, however it was pasted."""
    id = request_id_in(words)
    if not id.startswith("req_"):
        return
    with contextlib.suppress(NotFound):
        access.logged_request(place.membership, id)
        yield Hit("Request", id, reverse("log", args=[id]))
