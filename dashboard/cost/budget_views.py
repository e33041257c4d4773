"""Budgets: set, changed and removed; and requests of members for more: asked, approved, denied."""

from __future__ import annotations

from decimal import Decimal

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_POST

from admin_api import access
from admin_api.actions import api_keys, spend_limits
from admin_api.actions import spend_limit_increase_requests as requests
from admin_api.actions.api_keys import Cap
from admin_api.actor import Actor
from admin_api.queries.budgets import budget as of_limit
from admin_api.queries.spend_limit_increase_requests import increase_requests
from admin_api.queries.spend_summaries import spend_summaries
from dashboard.cost.budget_forms import AmountForm, AskForm, BudgetForm, Scope
from dashboard.cost.views import WRITE
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame import figures
from dashboard.frame.place import Place, actor_of, member_page, member_page_for
from dashboard.reports.budgets import PERIODS, line, of_member
from gateway.errors import GatewayError
from gateway.models import Organization, SpendLimit, SpendLimitIncreaseRequest
from gateway.models.spend_limits import Period

form_page = require_http_methods(["GET", "HEAD", "POST"])
MOST_ASKED = 10


@form_page
@member_page_for(*WRITE)
def new_budget(request: HttpRequest, place: Place) -> HttpResponse:
    form = BudgetForm(place.organization, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            _set(actor_of(request), place.organization, form.whose, form.cleaned_data["period"], form.cents)
        except GatewayError as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, "The budget holds from now on.")
            return redirect("cost")
    return render(request, "dashboard/cost/budget_new.html", {"form": form})


@form_page
@member_page_for(*WRITE)
def edit_budget(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    limit = access.budget(place.organization, id)
    form = AmountForm(request.POST or None, initial={"amount": _dollars(limit)})
    if request.method == "POST" and form.is_valid():
        scope = Scope(limit.workspace, limit.user, limit.api_key)
        try:
            _set(actor_of(request), place.organization, scope, limit.period, form.cents)
        except GatewayError as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, "The new amount holds from now on.")
            return redirect("cost")
    shown = line(of_limit(limit, timezone.now()))
    return render(request, "dashboard/cost/budget.html", {"form": form, "line": shown})


@require_POST
@fresh_sign_in
@member_page_for(*WRITE)
def remove_budget(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    limit = access.budget(place.organization, id)
    if limit.api_key is not None:
        api_keys.update(actor=actor_of(request), key=limit.api_key, spend_limit=None)
    else:
        spend_limits.remove(actor=actor_of(request), spend_limit=limit)
    messages.success(request, "The budget is gone.")
    return redirect("cost")


@form_page
@member_page_for(*WRITE)
def decide(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    """A member's request for more: the amount that they get, or nothing."""
    asked = access.spend_limit_increase_request(place.organization, id)
    held = next(iter(spend_summaries(place.organization, [asked.user], periods=[asked.period])), None)
    form = AmountForm(
        request.POST if "amount" in request.POST else None, initial={"amount": held and _dollars(held.limit)}
    )
    if request.method == "POST":
        try:
            if _decided(request, asked, form):
                return redirect("cost")
        except GatewayError as refusal:
            form.refuse(refusal) if form.is_bound else messages.error(request, refusal.message)
    context = {"asked": asked, "held": held, "form": form, "period": PERIODS[Period(asked.period)]}
    return render(request, "dashboard/cost/budget_request.html", context)


def _decided(request: HttpRequest, asked: SpendLimitIncreaseRequest, form: AmountForm) -> bool:
    """Whether it is. What the form refuses is said there."""
    if "deny" in request.POST:
        requests.deny(actor=actor_of(request), request=asked)
        messages.success(request, "The request is denied. The member is told by mail.")
        return True
    if not form.is_valid():
        return False
    requests.approve(actor=actor_of(request), request=asked, amount=form.cents)
    amount = figures.money(form.cleaned_data["amount"])
    messages.success(request, f"The member may spend {amount} a {PERIODS[Period(asked.period)]} from now on.")
    return True


@form_page
@member_page
def ask_for_budget(request: HttpRequest, place: Place) -> HttpResponse:
    """Anybody, for themselves: admins get a mail and see it on Cost."""
    form = AskForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            requests.create(actor=actor_of(request), membership=place.membership, **form.cleaned_data)
        except GatewayError as refusal:
            form.refuse(refusal)
        else:
            messages.success(request, "Your request is sent. You get a mail when it is decided.")
            return redirect("ask_for_budget")
    mine = increase_requests(place.organization, user_ids=[place.user.id]).order_by("-created_at")
    context = {
        "form": form,
        "limits": of_member(spend_summaries(place.organization, [place.user])),
        "asked": mine[:MOST_ASKED],
    }
    return render(request, "dashboard/cost/budget_ask.html", context)


def _set(actor: Actor, organization: Organization, scope: Scope, period: str, cents: int) -> None:
    if scope.api_key is not None:
        api_keys.update(actor=actor, key=scope.api_key, spend_limit=Cap(cents, period))
        return
    spend_limits.set_amount(
        actor=actor,
        organization=organization,
        period=period,
        amount=cents,
        workspace=scope.workspace,
        user=scope.user,
    )


def _dollars(limit: SpendLimit) -> Decimal | None:
    return None if limit.amount is None else Decimal(limit.amount).scaleb(-2)
