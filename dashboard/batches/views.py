"""Message batches: the list, one of them while it runs, and its end."""

from __future__ import annotations

import dataclasses
import datetime

from django.conf import settings
from django.contrib import messages
from django.db import close_old_connections
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from admin_api import access, pages
from admin_api.actions import message_batches as actions
from admin_api.pages import IdPage
from admin_api.queries.batch_costs import BatchCost, batch_cost
from admin_api.queries.member_workspaces import member_workspaces
from admin_api.queries.message_batches import message_batches
from dashboard.batches import items
from dashboard.batches.forms import AGAIN
from dashboard.batches.progress import STATES, Shown, shown
from dashboard.batches.streams import streams
from dashboard.frame import figures, snippets
from dashboard.frame.fragments import wants_fragment
from dashboard.frame.place import Place, actor_of, member_page
from gateway.errors import InvalidRequest
from gateway.models import ApiKey, MessageBatch

ON_A_PAGE = 25
MOST_MODELS = 8  # that are named
KEPT = datetime.timedelta(days=29)


@dataclasses.dataclass(frozen=True)
class Line:
    batch: MessageBatch
    progress: Shown


@require_safe
@member_page
def batches(request: HttpRequest, place: Place) -> HttpResponse:
    """The newest first, or what is older than `?after=`; the list alone for the page that refreshes itself."""
    mine, after = message_batches(place.membership), request.GET.get("after", "")
    asked: dict[str, object] = {"limit": ON_A_PAGE, **({"after_id": after} if after else {})}
    page: IdPage[MessageBatch] = pages.by_id(mine, asked, among=mine)
    now = timezone.now()
    lines = [Line(batch, shown(batch, now)) for batch in page.rows]
    context = {
        "lines": lines,
        "after": after,
        "older": page.rows[-1].id if page.has_more else "",
        "as_of": now,
        "may_start": member_workspaces(place.membership).filter(archived_at=None).exists(),
        "snippet": "" if lines else snippets.BATCH.code,
    }
    template = "dashboard/batches/list.html" if wants_fragment(request) else "dashboard/batches/index.html"
    return render(request, template, context)


@require_safe
@member_page
def batch(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    found = access.message_batch(place.membership, id)
    now = timezone.now()
    progress, models = shown(found, now), found.model_names[:MOST_MODELS]
    asked = [request.GET.get(name, "") for name in ("state", "custom_id", "after")]
    cost = batch_cost(found, now)
    context = {
        "batch": found,
        "progress": progress,
        "legend": [(state, state.capitalize(), progress.words[state]) for state in ("processing", *STATES)],
        "key": ApiKey.objects.filter(organization=place.organization, id=found.api_key_id).first(),
        "models": models,
        "more_models": len(found.model_names) - len(models),
        "results_until": found.created_at + KEPT,
        "download": _download(found),
        "may_send_again": items.may_download(found) and any(getattr(found, state) for state in AGAIN),
        "may_download": items.may_download(found),
        "items": None if found.archived_at else items.read(found, *asked),
        "cost": cost.cost,
        "cost_note": _cost_note(cost),
    }
    return render(request, "dashboard/batches/batch.html", context)


@require_safe
@member_page
def events(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    """How far it is, as server-sent events; see `dashboard/batches/streams.py`."""
    found = access.message_batch(place.membership, id)
    close_old_connections()  # ours would stay open for as long as the stream
    response = StreamingHttpResponse(
        streams.stream(found.id, place.user.id), content_type="text/event-stream; charset=utf-8"
    )
    response["X-Accel-Buffering"] = "no"
    return response


@require_POST
@member_page
def cancel(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    found = access.message_batch(place.membership, id)
    try:
        actions.cancel(actor=actor_of(request), batch=found)
        said = "Nothing more of this batch is sent. What is under way is finished and kept."
    except InvalidRequest:  # between the page and the click
        said = "This batch had ended already."
    messages.success(request, said)
    return redirect("batch", id=found.id)


def _cost_note(cost: BatchCost) -> str:
    """Single requests do not know their batch, so that those of others at the same time are counted too."""
    if not cost.others:
        return "at the price of batches"
    with_others = f"with {figures.count(cost.others)} other batch{'' if cost.others == 1 else 'es'}"
    return f"{with_others} that this key ran at the same time"


def _download(batch: MessageBatch) -> str:
    """For a shell, with a key of the batch's workspace."""
    address = f"{settings.CONFIGURATION.base_url}/v1/messages/batches/{batch.id}/results"
    return (
        f'curl --fail --continue-at - --output {batch.id}.jsonl \\\n  --header "x-api-key: $ANTHROPIC_API_KEY" \\\n'
        f'  --header "anthropic-version: 2023-06-01" \\\n  {address}'
    )
