"""Settings that everybody has: the name; and time zone, theme and shortcuts, which stay in the browser."""

from __future__ import annotations

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from admin_api.actions import profiles
from dashboard.forms.form import Form
from dashboard.frame import time_zone
from dashboard.frame.place import actor_of, own_page
from dashboard.settings.tabs import tabs
from gateway.models import User


class ProfileForm(Form):
    name = forms.CharField(
        label="Name",
        max_length=profiles.LONGEST_NAME,
        required=False,
        widget=forms.TextInput({"autocomplete": "name"}),
    )


@require_http_methods(["GET", "HEAD", "POST"])
@own_page
def settings(request: HttpRequest, user: User) -> HttpResponse:
    form = ProfileForm(request.POST if request.method == "POST" else None, initial={"name": user.name})
    if form.is_valid():
        profiles.update(actor=actor_of(request), user=user, name=form.cleaned_data["name"])
        messages.success(request, "Saved.")
        return redirect("settings")
    context = {
        "form": form,
        "zone": str(time_zone.own(request)),
        "zones": [(name, name.replace("_", " ")) for name in sorted(time_zone.names())],
        "tabs": tabs(request, "settings"),
    }
    return render(request, "dashboard/settings/index.html", context, status=400 if form.errors else 200)
