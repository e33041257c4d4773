"""Who works in a workspace: people with a role there, and service accounts."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_POST, require_safe

from admin_api import access, pages
from admin_api.actions import workspace_members as actions
from admin_api.pages import IdPage
from admin_api.queries.members import members
from admin_api.queries.service_accounts import places_in
from admin_api.queries.workspace_members import workspace_members
from admin_api.roles import INHERITED, Role, WorkspaceRole
from dashboard.forms.form import Form
from dashboard.frame.place import actor_of
from dashboard.frame.role_words import GRANTED_IN_WORKSPACE
from dashboard.workspaces.place import Here, managing, workspace_page
from gateway.errors import InvalidRequest
from gateway.models import Membership

ON_A_PAGE = 50
MOST_SUGGESTED = 200


class AddForm(Form):
    """A member of the organization by their address."""

    email = forms.EmailField(
        label="Email of a member",
        max_length=254,
        widget=forms.EmailInput({"list": "suggested", "autocomplete": "off"}),
    )
    role = forms.ChoiceField(label="Role here", choices=GRANTED_IN_WORKSPACE, initial=WorkspaceRole.DEVELOPER)


@require_safe
@workspace_page
def member_list(request: HttpRequest, here: Here) -> HttpResponse:
    return _members(request, here, AddForm())


@require_POST
@workspace_page
@managing
def add_member(request: HttpRequest, here: Here) -> HttpResponse:
    form = AddForm(request.POST)
    if form.is_valid() and _added(request, here, form):
        messages.success(request, f"{form.cleaned_data['email']} works in {here.workspace.name} now.")
        return redirect("workspace_members", id=here.workspace.id)
    return _members(request, here, form)


def _added(request: HttpRequest, here: Here, form: AddForm) -> bool:
    found = members(here.place.organization, email=form.cleaned_data["email"]).first()
    if found is None:
        form.add_error("email", "No member of the organization has this address. They have to join it first.")
        return False
    try:
        actions.add(
            actor=actor_of(request),
            workspace=here.workspace,
            membership=found,
            role=form.cleaned_data["role"],
        )
    except InvalidRequest as refused:
        form.add_error("email" if refused.message.startswith("user_id: ") else None, _plain(refused, found))
        return False
    return True


def _plain(refused: InvalidRequest, found: Membership) -> str:
    """With the address, which is what was typed, in place of the id."""
    return refused.message.removeprefix("user_id: ").replace(found.user_id, found.user.email)


@require_POST
@workspace_page
@managing
def set_member_role(request: HttpRequest, here: Here, user_id: str) -> HttpResponse:
    found = access.workspace_member(here.workspace, user_id)
    try:
        role = request.POST.get("role", "")
        actions.set_role(actor=actor_of(request), workspace=here.workspace, user_id=user_id, role=role)
        messages.success(request, f"The role of {found.user.email} is changed.")
    except InvalidRequest as refused:
        messages.error(request, _plain(refused, found))
    return redirect("workspace_members", id=here.workspace.id)


@require_POST
@workspace_page
@managing
def remove_member(request: HttpRequest, here: Here, user_id: str) -> HttpResponse:
    """Their keys stay: they belong to the organization. Whoever is removed can be added again."""
    found = access.workspace_member(here.workspace, user_id)
    try:
        actions.remove(actor=actor_of(request), workspace=here.workspace, user_id=user_id)
        messages.success(request, f"{found.user.email} does not work in {here.workspace.name} any more.")
    except InvalidRequest as refused:
        messages.error(request, _plain(refused, found))
    still = here.place.is_admin or here.place.user.id != user_id
    return redirect("workspace_members", id=here.workspace.id) if still else redirect("overview")


def _members(request: HttpRequest, here: Here, form: AddForm) -> HttpResponse:
    after, organization = request.GET.get("after", ""), here.place.organization
    page: IdPage[Membership] = pages.by_id(
        workspace_members(here.workspace).select_related("user"),
        {"limit": ON_A_PAGE, **({"after_id": after} if after else {})},
        among=members(organization),
        id="user_id",
        at="added_at",
    )
    context = {
        "members": page.rows,
        "form": form,
        "roles": GRANTED_IN_WORKSPACE,
        "inherited": list(INHERITED),
        "suggested": _suggested(here),
        "accounts": places_in(here.workspace).select_related("service_account"),
        "newest": "?" if after else "",
        "older": f"?{urlencode({'after': page.rows[-1].user_id})}" if page.has_more else "",
        "tab": "members",
        **here.context,
    }
    return render(request, "dashboard/workspaces/members.html", context, status=400 if form.errors else 200)


def _suggested(here: Here) -> list[str]:
    """Addresses of who could be added, for those who may read the list of members anyway."""
    if here.place.role not in (Role.ADMIN, Role.DEVELOPER) or not here.may_edit or here.workspace.is_default:
        return []
    there = workspace_members(here.workspace).values("user_id")
    others = members(here.place.organization).exclude(user__in=there).order_by("user__email")
    return list(others.values_list("user__email", flat=True)[:MOST_SUGGESTED])
