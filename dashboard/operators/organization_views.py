"""What operators do with organizations: make them, set what they may use, suspend them, change their credit."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api import access, pages
from admin_api.actions import credit, organizations
from admin_api.queries import credit as credits
from admin_api.queries import organizations as queries
from dashboard.forms import once
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame.place import actor_of, operator_page
from dashboard.operators.forms import CreditForm, NewOrganizationForm, OrganizationForm
from dashboard.operators.limit_forms import WORDS
from gateway.errors import GatewayError, InvalidRequest
from gateway.models import Membership, Organization, Tier, User

ON_A_PAGE = 50
RECENT_ENTRIES = 20
STATES = {"active": False, "suspended": True}


@require_safe
@operator_page
def operated_organizations(request: HttpRequest, user: User) -> HttpResponse:
    """The newest first, or what was made before `?after=`."""
    name, tier, state = (request.GET.get(one, "").strip() for one in ("q", "tier", "state"))
    rows = queries.organizations(
        name=name.replace("\x00", "") or None,
        tier=Tier.objects.filter(name=tier).first() if tier else None,
        suspended=STATES.get(state),
    )
    after = request.GET.get("after", "")
    page: pages.IdPage[Organization] = pages.by_id(
        rows,
        {"limit": ON_A_PAGE, **({"after_id": str(access.any_organization(after).id)} if after else {})},
        among=Organization.objects.all(),
    )
    kept = request.GET.copy()
    kept.pop("after", None)
    older = kept.copy()
    if page.has_more:
        older["after"] = str(page.rows[-1].id)
    context = {
        "organizations": page.rows,
        "tiers": Tier.objects.order_by("name").values_list("name", flat=True),
        "name": name,
        "tier": tier,
        "state": state,
        "newest_url": f"?{kept.urlencode()}" if after else "",
        "older_url": f"?{older.urlencode()}" if page.has_more else "",
    }
    return render(request, "dashboard/operators/organizations.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def new_organization(request: HttpRequest, user: User) -> HttpResponse:
    """The link for the first admin stands on the answer, and nowhere else; sent again, the form makes nothing more."""
    if made := once.made(request):
        return redirect("operated_organization", id=made)
    form = NewOrganizationForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        try:
            new, link = organizations.set_up(actor=actor_of(request), **form.arguments())
        except GatewayError as refused:
            form.refuse(refused)
        else:
            once.remember(request, str(new.id))
            return _made(request, new, link, form.cleaned_data["admin_email"])
    context = {"form": form, "once": once.word(request)}
    return render(
        request, "dashboard/operators/new_organization.html", context, status=400 if form.errors else 200
    )


@require_safe
@operator_page
def operated_organization(request: HttpRequest, user: User, id: str) -> HttpResponse:
    return _page(request, access.any_organization(id), CreditForm())


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def edit_organization(request: HttpRequest, user: User, id: str) -> HttpResponse:
    found = access.any_organization(id)
    form = OrganizationForm(request.POST if request.method == "POST" else None, organization=found)
    if request.method == "POST" and form.is_valid():
        try:
            organizations.update(actor=actor_of(request), organization=found, **form.arguments())
        except GatewayError as refused:
            form.refuse(refused)
        else:
            messages.success(request, "Saved. It counts from the next request on.")
            return redirect("operated_organization", id=id)
    context = {"form": form, "organization": found}
    return render(
        request, "dashboard/operators/edit_organization.html", context, status=400 if form.errors else 200
    )


@require_POST
@fresh_sign_in
@operator_page
def suspend_organization(request: HttpRequest, user: User, id: str) -> HttpResponse:
    found = access.any_organization(id)
    if request.POST.get("typed", "").strip() != found.name.strip():
        return _page(request, found, CreditForm(), refused="Type the organization's name to suspend it.")
    organizations.suspend(actor=actor_of(request), organization=found)
    messages.success(request, "Its keys are refused until you resume it.")
    return redirect("operated_organization", id=id)


@require_POST
@operator_page
def resume_organization(request: HttpRequest, user: User, id: str) -> HttpResponse:
    organizations.resume(actor=actor_of(request), organization=access.any_organization(id))
    messages.success(request, "Everything works as it did before.")
    return redirect("operated_organization", id=id)


@require_POST
@operator_page
def adjust_credit(request: HttpRequest, user: User, id: str) -> HttpResponse:
    found, form = access.any_organization(id), CreditForm(request.POST)
    if form.is_valid():
        try:
            credit.adjust(actor=actor_of(request), organization=found, **form.arguments())
        except InvalidRequest as refused:
            form.refuse(refused)
        else:
            messages.success(request, "The credit is changed.")
            return redirect("operated_organization", id=id)
    return _page(request, found, form, status=400)


@require_POST
@operator_page
def set_prepaid(request: HttpRequest, user: User, id: str) -> HttpResponse:
    """`prepaid=1` begins it, anything else ends it."""
    found, begin = access.any_organization(id), request.POST.get("prepaid") == "1"
    (credit.begin if begin else credit.end)(actor=actor_of(request), organization=found)
    messages.success(
        request,
        "From now on it is held to its credit." if begin else "It is not held to its credit any more.",
    )
    return redirect("operated_organization", id=id)


def _page(
    request: HttpRequest, found: Organization, form: CreditForm, *, refused: str = "", status: int = 200
) -> HttpResponse:
    left = credits.credit(found)
    context = {
        "organization": found,
        "limits": [(WORDS[name], value) for name, value in found.effective_limits().items()],
        "members": found.memberships.count(),
        "admins": found.memberships.filter(role=Membership.Role.ADMIN).select_related("user"),
        "balance": left.balance / 100,
        "credit": left,
        "entries": credits.credit_entries(found).order_by("-created_at", "-id")[:RECENT_ENTRIES],
        "form": form,
        "refused": refused,
    }
    status = 400 if refused else status
    return render(request, "dashboard/operators/organization.html", context, status=status)


def _made(request: HttpRequest, made: Organization, link: str | None, email: Any) -> HttpResponse:
    if link is None:
        messages.success(request, "The organization is there. Nobody is in it yet.")
        return redirect("operated_organization", id=made.id)
    context = {"organization": made, "link": link, "email": email}
    return render(request, "dashboard/operators/organization_made.html", context)
