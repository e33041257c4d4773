"""What admins set for their organization: its name, and what it asks of everybody's sessions and of invitations."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from admin_api.actions import house_rules, organizations
from dashboard.forms.form import Form
from dashboard.forms.fresh_sign_in import fresh_sign_in
from dashboard.frame.place import Place, actor_of, member_page_for
from dashboard.settings.tabs import tabs
from gateway.errors import InvalidRequest
from gateway.models import Membership, Organization


class OneALine(forms.CharField):
    """A list of texts, one a line or between commas."""

    widget = forms.Textarea({"rows": 3, "spellcheck": "false", "autocapitalize": "off"})

    def to_python(self, value: object) -> list[str]:
        text = str(value or "").replace(",", "\n")
        return [line.strip() for line in text.splitlines() if line.strip()]

    def prepare_value(self, value: object) -> str:
        return "\n".join(value) if isinstance(value, list) else str(value or "")


class OrganizationForm(Form):
    name = forms.CharField(label="Organization name", max_length=200)
    require_second_factor = forms.BooleanField(
        label="Require a second factor",
        required=False,
        help_text="Members without one are led to set it up before any page of the organization opens. "
        "Keys are not touched.",
    )
    session_hours = forms.IntegerField(
        label="Session length in hours",
        required=False,
        min_value=1,
        max_value=house_rules.MOST_HOURS,
        help_text="After that everybody signs in again. Empty: 168 hours, and 12 without a page in any case.",
    )
    invite_domains = OneALine(
        label="Domains for invitations",
        required=False,
        help_text="One a line, such as example.com. Empty: anybody can be invited.",
    )
    dashboard_ips = OneALine(
        label="Networks for the dashboard",
        required=False,
        help_text="Addresses or networks such as 203.0.113.0/24, one a line. Empty: from anywhere. "
        "Your own must be among them.",
    )


FIELDS = tuple(OrganizationForm.base_fields)


@require_http_methods(["GET", "HEAD", "POST"])
@member_page_for(Membership.Role.ADMIN)
def organization(request: HttpRequest, place: Place) -> HttpResponse:
    return _change(request, place) if request.method == "POST" else _shown(request, _form(place.organization))


@fresh_sign_in
def _change(request: HttpRequest, place: Place) -> HttpResponse:
    form = _form(place.organization, request.POST)
    if not form.is_valid():
        return _shown(request, form, status=400)
    try:
        _save(request, place, form.cleaned_data)
    except InvalidRequest as refused:
        form.refuse(refused)
        return _shown(request, form, status=400)
    messages.success(request, "Saved.")
    return redirect("organization_settings")


@transaction.atomic
def _save(request: HttpRequest, place: Place, given: dict[str, object]) -> None:
    """All of it or nothing."""
    actor = actor_of(request)
    organizations.update(actor=actor, organization=place.organization, name=str(given["name"]))
    rules = {name: value for name, value in given.items() if name != "name"}
    house_rules.update(actor=actor, organization=place.organization, admin=place.user, **rules)


def _form(organization: Organization, sent: object = None) -> OrganizationForm:
    return OrganizationForm(sent, initial={name: getattr(organization, name) for name in FIELDS})


def _shown(request: HttpRequest, form: OrganizationForm, status: int = 200) -> HttpResponse:
    context = {"form": form, "tabs": tabs(request, "organization_settings")}
    return render(request, "dashboard/settings/organization.html", context, status=status)
