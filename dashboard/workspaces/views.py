"""Workspaces: the list, a new one, one's settings, and its end."""

from __future__ import annotations

import dataclasses

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api import pages
from admin_api.actions import workspaces as actions
from admin_api.pages import IdPage
from admin_api.queries.available_models import available_models
from admin_api.queries.member_workspaces import managed_workspaces, visible_workspaces
from admin_api.queries.workspace_figures import Figures, figures_of, keys_used_lately
from admin_api.roles import Role
from dashboard.forms.form import Form
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.forms.typed_name import TypedName
from dashboard.frame.place import Place, actor_of, member_page, member_page_for
from dashboard.workspaces.forms import ContentsForm, ModelsForm, SettingsForm, shown
from dashboard.workspaces.place import Here, managing, workspace_page
from gateway.errors import InvalidRequest, PermissionDenied
from gateway.models import Workspace

ON_A_PAGE = 50


@dataclasses.dataclass(frozen=True)
class Line:
    """`limits` says how many limits of its own the workspace has."""

    workspace: Workspace
    figures: Figures
    limits: int


@require_safe
@member_page
def workspaces(request: HttpRequest, place: Place) -> HttpResponse:
    """The newest first; `?archived=1` shows those that are over, too."""
    mine, after = visible_workspaces(place.membership), request.GET.get("after", "")
    if place.role not in (Role.ADMIN, Role.DEVELOPER) and not mine.exists():
        raise PermissionDenied("Your role in this organization does not include this page.")
    archived, words = request.GET.get("archived") == "1", request.GET.get("q", "")[:200].replace("\x00", "")
    rows = mine if archived else mine.filter(archived_at=None)
    rows = rows.filter(name__icontains=words) if words else rows
    asked: dict[str, object] = {"limit": ON_A_PAGE, **({"after_id": after} if after else {})}
    page: IdPage[Workspace] = pages.by_id(rows, asked, among=mine)
    filters = {name: value for name, value in (("q", words), ("archived", "1" if archived else "")) if value}
    context = {
        "lines": _lines(place, page),
        "q": words,
        "archived": archived,
        "newest": f"?{urlencode(filters)}" if after else "",
        "older": f"?{urlencode({**filters, 'after': page.rows[-1].id})}" if page.has_more else "",
        "managed": set(managed_workspaces(place.membership).values_list("id", flat=True)),
    }
    return render(request, "dashboard/workspaces/index.html", context)


def _lines(place: Place, page: IdPage[Workspace]) -> list[Line]:
    figures = figures_of(place.organization, page.rows, now=timezone.now())
    return [Line(one, figures[one.id], _own_limits(one)) for one in page.rows]


def _own_limits(workspace: Workspace) -> int:
    pools = [workspace.limits, *workspace.group_limits.values()]
    return sum(1 for limits in pools for value in limits.values() if value is not None)


@require_http_methods(["GET", "HEAD", "POST"])
@member_page_for(Role.ADMIN)
def create_workspace(request: HttpRequest, place: Place) -> HttpResponse:
    form = SettingsForm(request.POST or None, initial=shown(Workspace()))
    if form.is_valid():
        try:
            made = actions.create(
                actor=actor_of(request), organization=place.organization, **form.for_action()
            )
            messages.success(request, "The workspace is there. Give it members, limits and keys.")
            return redirect("workspace", id=made.id)
        except InvalidRequest as refused:
            form.refuse(refused)
    return render(
        request, "dashboard/workspaces/new.html", {"form": form}, status=400 if form.is_bound else 200
    )


@require_safe
@workspace_page
def workspace(request: HttpRequest, here: Here) -> HttpResponse:
    return _settings(request, here)


@require_POST
@workspace_page
@managing
def edit_workspace(request: HttpRequest, here: Here) -> HttpResponse:
    form = SettingsForm(request.POST)
    if form.is_valid():
        try:
            actions.update(
                actor=actor_of(request), workspace=here.workspace, **form.for_action(here.workspace.tags)
            )
            messages.success(request, "Saved.")
            return redirect("workspace", id=here.workspace.id)
        except InvalidRequest as refused:
            form.refuse(refused)
    return _settings(request, here, form=form)


@require_POST
@workspace_page
@managing
def set_workspace_models(request: HttpRequest, here: Here) -> HttpResponse:
    form = ModelsForm(request.POST)
    if form.is_valid():
        try:
            actions.set_models(actor=actor_of(request), workspace=here.workspace, **form.for_action())
            messages.success(request, "Saved. It holds from the next request on.")
            return redirect("workspace", id=here.workspace.id)
        except InvalidRequest as refused:
            form.refuse(refused)
    return _settings(request, here, models=form)


@require_POST
@workspace_page
@managing
def keep_workspace_contents(request: HttpRequest, here: Here) -> HttpResponse:
    form = ContentsForm(request.POST)
    if form.is_valid():
        try:
            actions.keep_contents(actor=actor_of(request), workspace=here.workspace, **form.cleaned_data)
            messages.success(request, "Saved. It holds from the next request on.")
            return redirect("workspace", id=here.workspace.id)
        except InvalidRequest as refused:
            form.refuse(refused)
    return _settings(request, here, contents=form)


def _settings(request: HttpRequest, here: Here, **refused: Form) -> HttpResponse:
    """`refused` is the form that was sent, under its name below."""
    forms = {
        "form": SettingsForm.of(here.workspace),
        "models": ModelsForm.of(here.workspace),
        "contents": ContentsForm(initial={"days": here.workspace.content_days}),
    }
    available = available_models(here.place.organization)
    context = {
        **forms,
        **refused,
        "available": sorted(model.name for model in available.models),
        "tab": "settings",
        **here.context,
    }
    return render(request, "dashboard/workspaces/workspace.html", context, status=400 if refused else 200)


class ArchiveForm(Form):
    def __init__(self, *args: object, workspace: Workspace) -> None:
        super().__init__(*args)
        self.fields["typed"] = TypedName(workspace.name)


@fresh_sign_in
@require_http_methods(["GET", "HEAD", "POST"])
@workspace_page
def archive_workspace(request: HttpRequest, here: Here) -> HttpResponse:
    """Only admins of the organization: it ends keys that others may depend on, and cannot be undone."""
    if not here.place.is_admin:
        raise PermissionDenied("Only admins of the organization archive workspaces.")
    form, now = ArchiveForm(request.POST or None, workspace=here.workspace), timezone.now()
    if form.is_valid() and _archived(request, here, form):
        messages.success(request, f"{here.workspace.name} is archived, and its keys are revoked.")
        return redirect("workspaces")
    figures = figures_of(here.place.organization, [here.workspace], now=now)[here.workspace.id]
    used = keys_used_lately(here.workspace, now=now)
    context = {"form": form, "figures": figures, "used": used, **here.context}
    return render(request, "dashboard/workspaces/archive.html", context, status=400 if form.errors else 200)


def _archived(request: HttpRequest, here: Here, form: ArchiveForm) -> bool:
    try:
        actions.archive(actor=actor_of(request), workspace=here.workspace)
    except InvalidRequest as refused:
        form.refuse(refused)
        return False
    return True
