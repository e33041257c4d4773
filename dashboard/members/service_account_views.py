"""Service accounts: identities of machines, which keys act for, and the workspaces they have a role in."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api import access, pages
from admin_api.actions import service_account_workspaces as places
from admin_api.actions import service_accounts as actions
from admin_api.pages import IdPage
from admin_api.queries import service_accounts as queries
from admin_api.queries.api_keys import keys_for
from admin_api.queries.workspaces import workspaces
from dashboard.forms.form import Form
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.forms.typed_name import TypedName
from dashboard.frame.place import Place, actor_of, member_page_for
from dashboard.members.service_account_forms import DetailsForm, NewForm, PlaceForm
from dashboard.members.tabs import ADMIN, READERS, tabs
from gateway.errors import Conflict, InvalidRequest
from gateway.models import ApiKey, ServiceAccount, Workspace

ON_A_PAGE = 50


@require_safe
@member_page_for(*READERS)
def service_accounts(request: HttpRequest, place: Place) -> HttpResponse:
    """The newest first; `?archived=1` shows those that are over, too."""
    archived, after = request.GET.get("archived") == "1", request.GET.get("after", "")
    rows = queries.service_accounts(place.organization, include_archived=archived).annotate(
        placed=Count("workspaces", distinct=True),
        keys=Count("api_keys", filter=Q(api_keys__status=ApiKey.Status.ACTIVE), distinct=True),
    )
    page: IdPage[ServiceAccount] = pages.by_id(
        rows,
        {"limit": ON_A_PAGE, **({"after_id": after} if after else {})},
        among=queries.service_accounts(place.organization),
    )
    filters = {"archived": "1"} if archived else {}
    context = {
        "accounts": page.rows,
        "archived": archived,
        "newest": f"?{urlencode(filters)}" if after else "",
        "older": f"?{urlencode({**filters, 'after': page.rows[-1].id})}" if page.has_more else "",
        **tabs(place),
    }
    return render(request, "dashboard/members/service_accounts.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@member_page_for(ADMIN)
def create(request: HttpRequest, place: Place) -> HttpResponse:
    form = NewForm(request.POST or None)
    if form.is_valid():
        try:
            made = actions.create(
                actor=actor_of(request), organization=place.organization, **form.cleaned_data
            )
            messages.success(request, "The service account is there. Make a key that acts for it.")
            return redirect("service_account", id=made.id)
        except (InvalidRequest, Conflict) as refused:
            form.refuse(refused)
    return render(
        request,
        "dashboard/members/service_account_new.html",
        {"form": form},
        status=400 if form.is_bound else 200,
    )


@require_safe
@member_page_for(*READERS)
def service_account(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    account = access.service_account(place.organization, id)
    return _page(request, place, account, _details(account), PlaceForm(_live(place)))


@require_POST
@member_page_for(ADMIN)
def edit(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    account, form = access.service_account(place.organization, id), DetailsForm(request.POST)
    if form.is_valid():
        try:
            actions.update(actor=actor_of(request), service_account=account, **form.cleaned_data)
            messages.success(request, "Saved.")
            return redirect("service_account", id=id)
        except InvalidRequest as refused:
            form.refuse(refused)
    return _page(request, place, account, form, PlaceForm(_live(place)))


@require_POST
@member_page_for(ADMIN)
def place_in(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    """A role in a workspace; where it has one, this one instead."""
    account, form = access.service_account(place.organization, id), PlaceForm(_live(place), request.POST)
    if form.is_valid():
        workspace = access.workspace(place.organization, form.cleaned_data["workspace_id"])
        try:
            places.add(
                actor=actor_of(request),
                workspace=workspace,
                service_account=account,
                role=form.cleaned_data["role"],
            )
            messages.success(request, f"{account.name} has its role in {workspace.name}.")
            return redirect("service_account", id=id)
        except InvalidRequest as refused:
            form.refuse(refused)
    return _page(request, place, account, _details(account), form)


@require_POST
@member_page_for(ADMIN)
def remove_from(request: HttpRequest, place: Place, id: str, workspace_id: str) -> HttpResponse:
    """Takes a role that was given away; it can be given again."""
    account = access.service_account(place.organization, id)
    workspace = access.workspace(place.organization, workspace_id)
    try:
        places.remove(actor=actor_of(request), workspace=workspace, service_account=account)
        messages.success(request, f"{account.name} has no role of its own in {workspace.name} any more.")
    except InvalidRequest as refused:
        messages.error(request, refused.message)
    return redirect("service_account", id=id)


class ArchiveForm(Form):
    def __init__(self, *args: object, account: ServiceAccount) -> None:
        super().__init__(*args)
        self.fields["typed"] = TypedName(account.name)


@fresh_sign_in
@require_http_methods(["GET", "HEAD", "POST"])
@member_page_for(ADMIN)
def archive(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    account = access.service_account(place.organization, id)
    form = ArchiveForm(request.POST or None, account=account)
    if form.is_valid():
        actions.archive(actor=actor_of(request), service_account=account)
        messages.success(request, f"{account.name} is archived, and its keys are revoked.")
        return redirect("service_accounts")
    context = {"account": account, "form": form, "keys": _live_keys(account).count()}
    return render(
        request, "dashboard/members/service_account_archive.html", context, status=400 if form.errors else 200
    )


def _page(
    request: HttpRequest, place: Place, account: ServiceAccount, details: DetailsForm, placing: PlaceForm
) -> HttpResponse:
    context = {
        "account": account,
        "details": details,
        "placing": placing,
        "places": queries.places_of(account).select_related("workspace").order_by("workspace__name"),
        "keys": _shown_keys(place, account),
        "may_edit": place.is_admin and account.archived_at is None,
    }
    status = 400 if details.errors or placing.errors else 200
    return render(request, "dashboard/members/service_account.html", context, status=status)


def _details(account: ServiceAccount) -> DetailsForm:
    return DetailsForm(
        initial={"description": account.description, "organization_role": account.organization_role}
    )


def _live(place: Place) -> list[Workspace]:
    rows = workspaces(place.organization, include_default=True)
    return list(rows.order_by("-is_default", "name"))


def _shown_keys(place: Place, account: ServiceAccount) -> Any:
    """Of the live ones those that the member sees."""
    mine = keys_for(place.membership).filter(service_account=account)
    return mine.exclude(status=ApiKey.Status.ARCHIVED).order_by("-created_at")[:ON_A_PAGE]


def _live_keys(account: ServiceAccount) -> Any:
    return account.api_keys.exclude(status=ApiKey.Status.ARCHIVED)
