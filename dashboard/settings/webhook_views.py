"""Where an organization is told of events: its endpoints, what was sent there, and a try."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from admin_api import access
from admin_api.actions import webhook_endpoints
from admin_api.queries.webhook_endpoints import latest_deliveries
from admin_api.queries.webhook_endpoints import webhook_endpoints as endpoints_of
from admin_api.webhook_addresses import LONGEST, checked_address
from admin_api.webhook_events import ALERTS, TYPES
from dashboard.forms.form import Form
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame.place import Place, actor_of, member_page_for
from dashboard.settings.tabs import tabs
from gateway.errors import InvalidRequest
from gateway.models import Membership, WebhookEndpoint

SHOWN = 20
WORDS = {
    "spend_limit.threshold_reached": "Spend limits",
    "credit.threshold_reached": "Credit",
    "audit_entry.created": "Audit log",
}


class EndpointForm(Form):
    url = forms.CharField(
        label="Address",
        max_length=LONGEST,
        help_text="https, and on the internet.",
        widget=forms.URLInput({"placeholder": "https://example.com/hooks"}),
    )
    name = forms.CharField(label="Name", max_length=200, required=False)
    enabled_events = forms.MultipleChoiceField(
        label="Events",
        choices=[(type, WORDS.get(type, type)) for type in TYPES],
        widget=forms.CheckboxSelectMultiple,
        initial=list(ALERTS),
    )

    def clean_url(self) -> str:
        try:
            return checked_address(self.cleaned_data["url"])
        except ValueError as problem:
            raise ValidationError(str(problem).capitalize()) from None


admins = member_page_for(Membership.Role.ADMIN)


@require_safe
@admins
def webhooks(request: HttpRequest, place: Place) -> HttpResponse:
    rows = endpoints_of(place.organization).order_by("-created_at", "id")
    lines = [(row, _in_words(row)) for row in rows]
    context = {"lines": lines, "tabs": tabs(request, "webhooks")}
    return render(request, "dashboard/settings/webhooks.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@admins
def new_webhook(request: HttpRequest, place: Place) -> HttpResponse:
    form = EndpointForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        try:
            made, secret = webhook_endpoints.create(
                actor=actor_of(request), organization=place.organization, **form.cleaned_data
            )
            return _secret(request, made, secret)
        except InvalidRequest as refused:
            form.refuse(refused)
    context = {"form": form, "tabs": tabs(request, "webhooks")}
    return render(request, "dashboard/settings/new_webhook.html", context, status=400 if form.errors else 200)


@require_safe
@admins
def webhook(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    endpoint = access.webhook_endpoint(place.organization, id)
    context = {
        "endpoint": endpoint,
        "events": _in_words(endpoint),
        "deliveries": latest_deliveries(endpoint, SHOWN),
        "tabs": tabs(request, "webhooks"),
    }
    return render(request, "dashboard/settings/webhook.html", context)


@require_POST
@admins
def test_webhook(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    endpoint = access.webhook_endpoint(place.organization, id)
    try:
        webhook_endpoints.test(actor=actor_of(request), endpoint=endpoint)
        messages.success(request, "A test event is on its way; reload this page in a few seconds.")
    except InvalidRequest as refused:
        messages.error(request, refused.message)
    return redirect("webhook", id=endpoint.id)


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@admins
def new_secret(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    endpoint = access.webhook_endpoint(place.organization, id)
    if request.method == "POST":
        secret = webhook_endpoints.regenerate_secret(actor=actor_of(request), endpoint=endpoint)
        return _secret(request, endpoint, secret)
    context = {"endpoint": endpoint, "tabs": tabs(request, "webhooks")}
    return render(request, "dashboard/settings/new_webhook_secret.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
@fresh_sign_in
@admins
def delete_webhook(request: HttpRequest, place: Place, id: str) -> HttpResponse:
    endpoint = access.webhook_endpoint(place.organization, id)
    if request.method == "POST":
        webhook_endpoints.remove(actor=actor_of(request), endpoint=endpoint)
        messages.success(request, "The endpoint is deleted.")
        return redirect("webhooks")
    context = {"endpoint": endpoint, "tabs": tabs(request, "webhooks")}
    return render(request, "dashboard/settings/delete_webhook.html", context)


def _in_words(endpoint: WebhookEndpoint) -> str:
    return ", ".join(WORDS.get(type, type) for type in endpoint.enabled_events)


def _secret(request: HttpRequest, endpoint: WebhookEndpoint, secret: str) -> HttpResponse:
    """The only page that ever shows it."""
    context = {"endpoint": endpoint, "secret": secret, "tabs": tabs(request, "webhooks")}
    return render(request, "dashboard/settings/webhook_secret.html", context)
