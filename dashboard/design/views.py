"""`/ui`: every component of the design system on one page, for who builds pages. Only with `GATEWAY_DEBUG`."""

from __future__ import annotations

import datetime

from django import forms
from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from dashboard.charts.sparkline import sparkline
from dashboard.forms.form import Form
from gateway.errors import NotFound

KINDS = ("plain", "accent", "good", "warn", "bad")


class Sample(Form):
    name = forms.CharField(label="Name", help_text="What it is for.")
    note = forms.CharField(label="Note", required=False, widget=forms.Textarea({"rows": 3}))
    role = forms.ChoiceField(label="Role", choices=[("developer", "Developer"), ("admin", "Admin")])
    agreed = forms.BooleanField(label="Tell me by mail", required=False, help_text="At most once a day.")


@require_safe
def ui(request: HttpRequest) -> HttpResponse:
    if not settings.DEBUG:
        raise NotFound("There is no such page.")
    days = [datetime.date(2026, 11, day) for day in range(20, 27)]
    line = sparkline(days, [3, 0, 12, 7, 7, 1, 20], "requests")
    context = {"form": Sample(), "refused": _refused(), "kinds": KINDS, "line": line}
    return render(request, "dashboard/design/index.html", context)


def _refused() -> Sample:
    form = Sample({"name": "", "role": "developer"})
    form.is_valid()
    return form
