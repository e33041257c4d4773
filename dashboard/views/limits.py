"""Limits: every one that can block a request, why one was blocked, and an admin's change of a workspace's own."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from admin_api import access
from admin_api.actions import workspaces as actions
from admin_api.queries.rate_limits import Group, group_of
from dashboard import limit_gauges, money_gauges, refused_requests
from dashboard.fragments import wants_fragment
from dashboard.limit_forms import HoldersForm, RequestForm, WorkspaceLimitsForm
from dashboard.limit_holders import Chosen, choose
from dashboard.place import Place, actor_of, member_page, member_page_for
from gateway.errors import InvalidRequest, NotFound
from gateway.models import Membership, Workspace


@require_safe
@member_page
def limits(request: HttpRequest, place: Place) -> HttpResponse:
    """All of the page, or the gauges alone for the page that refreshes itself."""
    chosen = choose(place, request.GET.get("workspace", ""), request.GET.get("key", ""))
    context = _now(chosen)
    if wants_fragment(request):
        return render(request, "dashboard/limits_now.html", context)
    return render(request, "dashboard/limits.html", context | _asked(request, chosen))


@require_http_methods(["GET", "HEAD", "POST"])
@member_page_for(Membership.Role.ADMIN)
def workspace_limits(request: HttpRequest, place: Place, id: str, entry: str) -> HttpResponse:
    """What a workspace allows in one group, beside the organization; the tighter one holds."""
    workspace, group = _own(place, id, entry)
    form = WorkspaceLimitsForm(workspace, group.pool, request.POST if request.method == "POST" else None)
    if form.is_bound and form.is_valid():
        try:
            actions.set_limits(
                actor=actor_of(request), workspace=workspace, limits=form.cleaned_data, pool=group.pool
            )
            messages.success(request, f"The limits of {workspace.name} hold within a second.")
            return redirect(f"{reverse('limits')}?{urlencode({'workspace': workspace.id})}")
        except InvalidRequest as refused:
            form.refuse(refused)
    context = {"form": form, "workspace": workspace, "title": limit_gauges.title_of(group)}
    return render(request, "dashboard/workspace_limits.html", context, status=400 if form.errors else 200)


def _own(place: Place, id: str, entry: str) -> tuple[Workspace, Group]:
    """Raises `NotFound`, also for the default workspace and one that is archived, which take no limits."""
    workspace = access.workspace(place.organization, id)
    if not takes_limits(workspace):
        raise NotFound("Workspace not found.")
    return workspace, group_of(place.organization, entry)


def takes_limits(workspace: Workspace | None) -> bool:
    return workspace is not None and not workspace.is_default and workspace.archived_at is None


def _now(chosen: Chosen) -> dict[str, object]:
    now = timezone.now()
    shown = {
        name: found.id
        for name, found in (("workspace", chosen.workspace), ("key", chosen.key))
        if found is not None
    }
    return {
        "chosen": chosen,
        "address": f"{reverse('limits')}?{urlencode(shown)}",
        "shown": shown,
        "limits": limit_gauges.read(chosen, now),
        "money": money_gauges.read(chosen, now),
        "may_change": chosen.place.is_admin and takes_limits(chosen.workspace),
        "as_of": now,
    }


def _asked(request: HttpRequest, chosen: Chosen) -> dict[str, object]:
    asked = request.GET.get("request_id", "")
    return {
        "holders": HoldersForm(chosen),
        "request_form": RequestForm(initial={"request_id": asked}),
        "answer": refused_requests.answer(chosen, asked),
        "refused": refused_requests.latest(chosen, request.GET.get("page", "")),
        "page": request.GET.get("page", ""),
        "own_limits": sorted(chosen.organization.limits) + sorted(chosen.organization.group_limits),
    }
