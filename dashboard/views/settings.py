"""Settings that everybody has: name, time zone; theme and keyboard shortcuts, which stay in the browser."""

from __future__ import annotations

import zoneinfo

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from admin_api.actions import profiles
from dashboard.form import Form
from dashboard.place import actor_of, own_page
from dashboard.settings_tabs import tabs
from gateway.errors import InvalidRequest
from gateway.models import User


class ProfileForm(Form):
    name = forms.CharField(
        label="Name", max_length=200, required=False, widget=forms.TextInput({"autocomplete": "name"})
    )
    time_zone = forms.ChoiceField(label="Time zone", help_text="Days and hours on every page follow it.")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        names = sorted(zoneinfo.available_timezones())
        self.fields["time_zone"].choices = [(name, name.replace("_", " ")) for name in names]


@require_http_methods(["GET", "HEAD", "POST"])
@own_page
def settings(request: HttpRequest, user: User) -> HttpResponse:
    now = {name: getattr(user, name) for name in ("name", "time_zone")}
    form = ProfileForm(request.POST if request.method == "POST" else None, initial=now)
    if form.is_valid():
        try:
            profiles.update(actor=actor_of(request), user=user, **form.cleaned_data)
            messages.success(request, "Saved.")
            return redirect("settings")
        except InvalidRequest as refused:
            form.refuse(refused)
    context = {"form": form, "tabs": tabs(request, "settings")}
    return render(request, "dashboard/settings.html", context, status=400 if form.errors else 200)
