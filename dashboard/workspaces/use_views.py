"""What a workspace may use, what it uses it with, and what it used: limits, keys and spend."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from admin_api import pages
from admin_api.actions import workspaces as actions
from admin_api.pages import IdPage
from admin_api.queries.api_keys import api_keys, keys_for
from admin_api.queries.rate_limits import group_of
from admin_api.queries.spend_limits import spend_limits
from admin_api.queries.workspace_spend import Used, used_by
from dashboard.api_keys.lines import lines
from dashboard.frame.navigation import MAKE_KEYS
from dashboard.frame.place import actor_of
from dashboard.workspaces import limits as cards
from dashboard.workspaces.place import Here, managing, workspace_page
from gateway.errors import InvalidRequest
from gateway.models import ApiKey
from gateway.models.spend_limits import Period

ON_A_PAGE = 50
MOST_ROWS = 100
MONTH = Period("monthly")
DAY = datetime.timedelta(days=1)


@require_safe
@workspace_page
def limits(request: HttpRequest, here: Here) -> HttpResponse:
    found = cards.cards(here.place.organization, here.workspace)
    context = {"cards": found, "tab": "limits", **here.context}
    return render(request, "dashboard/workspaces/limits.html", context)


@require_POST
@workspace_page
@managing
def set_limits(request: HttpRequest, here: Here, rate_limit_id: str) -> HttpResponse:
    """Those of one group, all at once: what is empty is the organization's."""
    group = group_of(here.place.organization, rate_limit_id)
    card = cards.card(here.place.organization, here.workspace, group, request.POST)
    if card.form.is_valid():
        try:
            wanted = card.form.cleaned_data
            actions.set_limits(
                actor=actor_of(request), workspace=here.workspace, limits=wanted, pool=group.pool
            )
            messages.success(request, f"Saved for {card.title}. It holds within a second.")
            return redirect("workspace_limits", id=here.workspace.id)
        except InvalidRequest as refused:
            card.form.refuse(refused)
    found = [
        card if one.id == card.id else one for one in cards.cards(here.place.organization, here.workspace)
    ]
    context = {"cards": found, "tab": "limits", **here.context}
    return render(request, "dashboard/workspaces/limits.html", context, status=400)


@require_safe
@workspace_page
def keys(request: HttpRequest, here: Here) -> HttpResponse:
    """Those that the member sees, the newest first; archived ones come where they were made."""
    after = request.GET.get("after", "")
    mine = keys_for(here.place.membership).filter(workspace=here.workspace)
    asked: dict[str, object] = {"limit": ON_A_PAGE, **({"after_id": after} if after else {})}
    page: IdPage[ApiKey] = pages.by_id(mine, asked, among=mine)
    context = {
        "lines": lines(here.place.organization, page.rows, timezone.now()),
        "newest": "?" if after else "",
        "older": f"?{urlencode({'after': page.rows[-1].id})}" if page.has_more else "",
        "sees_keys": here.place.role in MAKE_KEYS,
        "tab": "keys",
        **here.context,
    }
    return render(request, "dashboard/workspaces/keys.html", context)


@require_safe
@workspace_page
def spend(request: HttpRequest, here: Here) -> HttpResponse:
    """Of this month and of the one before, by model and by key."""
    this = MONTH.start(timezone.now())
    before, last = MONTH.start(this - DAY), request.GET.get("month") == "last"
    start, end = (before, this) if last else (this, MONTH.end(this))
    models, by_key = (used_by(here.workspace, by, start=start, end=end) for by in ("model", "api_key_id"))
    names = _names(here, by_key[:MOST_ROWS])
    context = {
        "last": last,
        "start": start,
        "total": sum((one.cost for one in models), Decimal(0)),
        "requests": sum(one.requests for one in models),
        "tokens": sum(one.tokens for one in models),
        "models": models[:MOST_ROWS],
        "by_key": [(names.get(one.what, one.what), one) for one in by_key[:MOST_ROWS]],
        "more_keys": len(by_key) - MOST_ROWS,
        "caps": _caps(here),
        "tab": "spend",
        **here.context,
    }
    return render(request, "dashboard/workspaces/spend.html", context)


def _names(here: Here, used: Sequence[Used]) -> dict[str, str]:
    """Of keys, by id; keys of the whole organization may have been used here, too."""
    rows = api_keys(here.place.organization).filter(id__in=[one.what for one in used])
    return dict(rows.values_list("id", "name"))


def _caps(here: Here) -> list[tuple[str, Decimal]]:
    """Spend limits of the workspace: period, and US dollars."""
    rows = spend_limits(here.place.organization, workspace_id=here.workspace.id).exclude(amount=None)
    return [(Period(row.period).label, Decimal(row.amount or 0) / 100) for row in rows.order_by("period")]
