"""Tiers: what each limits, and who is on it."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api import access
from admin_api.actions import tiers as actions
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame.place import actor_of, operator_page
from dashboard.operators.forms import TierForm
from gateway.errors import GatewayError, InvalidRequest
from gateway.models import Tier, User


@require_safe
@operator_page
def tiers(request: HttpRequest, user: User) -> HttpResponse:
    found = Tier.objects.annotate(used=Count("organizations")).order_by("name")
    return render(request, "dashboard/operators/tiers.html", {"tiers": found})


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def new_tier(request: HttpRequest, user: User) -> HttpResponse:
    form = TierForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        name = form.cleaned_data["name"]
        if Tier.objects.filter(name=name).exists():
            form.add_error("name", "There is a tier of this name already.")
        elif _done(request, form, name):
            messages.success(request, "The tier is there. Put organizations on it on their pages.")
            return redirect("tiers")
    return render(
        request, "dashboard/operators/tier.html", {"form": form}, status=400 if form.errors else 200
    )


@require_http_methods(["GET", "HEAD", "POST"])
@operator_page
def tier(request: HttpRequest, user: User, name: str) -> HttpResponse:
    found = access.tier(name)
    form = TierForm(request.POST if request.method == "POST" else None, tier=found)
    if request.method == "POST" and form.is_valid() and _done(request, form, name):
        messages.success(request, "Saved. It counts at once for every organization on this tier.")
        return redirect("tier", name=name)
    return _page(request, found, form, status=400 if form.errors else 200)


@require_POST
@fresh_sign_in
@operator_page
def remove_tier(request: HttpRequest, user: User, name: str) -> HttpResponse:
    found = access.tier(name)
    if request.POST.get("typed", "").strip() != name:
        return _page(request, found, TierForm(tier=found), refused="Type the tier's name to remove it.")
    try:
        actions.remove(actor=actor_of(request), tier=found)
    except InvalidRequest as refused:
        words = refused.message.partition(": ")[2]
        return _page(request, found, TierForm(tier=found), refused=f"This tier stays: {words}.")
    messages.success(request, f"The tier {name} is gone.")
    return redirect("tiers")


def _page(
    request: HttpRequest, found: Tier, form: TierForm, *, refused: str = "", status: int = 200
) -> HttpResponse:
    context = {
        "form": form,
        "tier": found,
        "used": found.organizations.count(),
        "standard": found.name in actions.STANDARD,
        "refused": refused,
    }
    return render(request, "dashboard/operators/tier.html", context, status=400 if refused else status)


def _done(request: HttpRequest, form: TierForm, name: str) -> bool:
    """Whether it was saved; else the form says why not."""
    try:
        actions.upsert(actor=actor_of(request), name=name, **form.arguments())
    except GatewayError as refused:
        form.refuse(refused)
        return False
    return True
