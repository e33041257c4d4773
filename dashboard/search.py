"""What a few letters find for a member: pages, keys, workspaces, people, batches, requests; only what they may see."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator
from itertools import islice

from django.urls import reverse

from admin_api import access
from admin_api.queries.message_batches import message_batches
from dashboard.log_search import request_id_in
from dashboard.navigation import entries_for
from dashboard.place import Place
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
        hits += [*_batches(place, words), *_requests(place, words)]
    return hits


def _pages(place: Place, words: str) -> Iterator[Hit]:
    for entry in entries_for(place.role):
        if words.lower() in entry.label.lower():
            yield Hit("Page", entry.label, reverse(entry.url))


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
