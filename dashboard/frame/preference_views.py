"""What a person chooses in the frame: theme, shortcuts, time zone, organization. All by POST, all lead back."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from admin_api import access
from dashboard.frame import shortcuts, theme, time_zone
from dashboard.frame.local_path import local_or_home
from dashboard.frame.place import SESSION_KEY, to_sign_in
from gateway.models import User


@require_POST
def choose_theme(request: HttpRequest) -> HttpResponse:
    value = request.POST.get("theme", "")
    if value not in theme.CHOICES:
        return HttpResponseBadRequest("theme: expected system, light or dark", content_type="text/plain")
    response = redirect(local_or_home(request.POST.get("next", "")))
    theme.remember(response, value)
    return response


@require_POST
def choose_shortcuts(request: HttpRequest) -> HttpResponse:
    response = redirect(local_or_home(request.POST.get("next", "")))
    shortcuts.remember(response, request.POST.get("shortcuts") == "on")
    return response


@require_POST
def choose_time_zone(request: HttpRequest) -> HttpResponse:
    name = request.POST.get("time_zone", "").strip()
    response = redirect(local_or_home(request.POST.get("next", "")))
    zone = time_zone.zone_of(name)
    if zone is None:
        messages.error(request, "There is no time zone of that name. An example of one: Europe/Berlin.")
    else:
        time_zone.remember(response, str(zone))
    return response


@require_POST
def choose_organization(request: HttpRequest) -> HttpResponse:
    """Raises `NotFound`, shown as 404, for an organization that is not there or not theirs."""
    if not isinstance(request.user, User):
        return to_sign_in(request)
    organization = access.organization_for(request.user, request.POST.get("organization", ""))
    request.session[SESSION_KEY] = str(organization.id)
    return redirect("overview")
