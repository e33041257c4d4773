"""What limits turned away of late, and why one request was: for those who may see it."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from django.db.models import OuterRef, QuerySet, Subquery

from admin_api import pages
from admin_api.block_message import amounts_of, limit_of, message_of
from admin_api.queries.limit_blocks import limit_blocks
from dashboard.limits.holders import Chosen, keys
from gateway.models import ApiKey, LimitBlock

ON_A_PAGE = 10
MOST_LIMITS = 20  # that one request can have met
LONGEST_ID = 64
KINDS = {"rate_limit": "Rate limit", "spend_limit": "Spend limit", "credit": "Credit"}


@dataclasses.dataclass(frozen=True)
class Refused:
    """`key` is the name of the key, or its id where that is gone."""

    block: LimitBlock
    key: str
    kind: str
    words: str
    limit: str
    needed: str
    left: str


@dataclasses.dataclass(frozen=True)
class RefusedPage:
    rows: Sequence[Refused]
    older: str


@dataclasses.dataclass(frozen=True)
class Answer:
    """Why a request was refused: by each limit that it met, or by none that is known."""

    request_id: str
    rows: Sequence[Refused]


def latest(chosen: Chosen, page: str) -> RefusedPage:
    """Of the key or workspace that is chosen, the newest first. Raises `InvalidRequest` for a page of another list."""
    asked: dict[str, object] = {"limit": ON_A_PAGE, **({"page": page} if page else {})}
    found: pages.CursorPage[LimitBlock] = pages.by_cursor(
        _rows(chosen, chosen.refused),
        asked,
        organization=chosen.organization,
        of=f"refused_requests:{chosen.refused}",
        at="at",
    )
    return RefusedPage([_refused(block) for block in found.rows], found.next_page or "")


def answer(chosen: Chosen, request_id: str) -> Answer | None:
    """None where nothing was asked."""
    wanted = request_id.strip()
    if not wanted:
        return None
    known = len(wanted) <= LONGEST_ID and "\x00" not in wanted
    found = (
        _rows(chosen, _theirs(chosen) | {"request_id": wanted}).order_by("-at", "id")[:MOST_LIMITS]
        if known
        else []
    )
    return Answer(wanted[:LONGEST_ID], [_refused(block) for block in found])


def _theirs(chosen: Chosen) -> dict[str, object]:
    """Whoever sees all usage asks about any request, whichever key is chosen."""
    return {} if chosen.place.sees_all_usage else {"api_key_id__in": keys(chosen.place).values("id")}


def _rows(chosen: Chosen, wanted: Mapping[str, object]) -> QuerySet[LimitBlock]:
    names = ApiKey.objects.filter(organization=chosen.organization, id=OuterRef("api_key_id"))
    found = limit_blocks(chosen.organization, **wanted)
    return found.annotate(key_name=Subquery(names.values("name")[:1]))


def _refused(block: LimitBlock) -> Refused:
    annotated = vars(block)
    key = annotated["key_name"] or block.api_key_id
    group, (needed, left) = annotated["group_name"], amounts_of(block)
    return Refused(
        block=block,
        key=key,
        kind=KINDS.get(block.kind, block.kind),
        words=message_of(block, group),
        limit=_sentence(limit_of(block, group)),
        needed=needed,
        left=left,
    )


def _sentence(words: str) -> str:
    return words[:1].upper() + words[1:]
