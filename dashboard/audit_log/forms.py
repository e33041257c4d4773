"""What the audit log is asked for."""

from __future__ import annotations

import datetime

from django import forms

from admin_api.queries.audit_entries import AuditFilter
from dashboard.forms.form import Form


class AuditFilterForm(Form):
    """Every field may be empty; days are whole, in UTC."""

    actor = forms.CharField(max_length=200, required=False, label="Who")
    action = forms.CharField(max_length=64, required=False, label="Action")
    target = forms.CharField(max_length=200, required=False, label="On what")
    since = forms.DateField(required=False, label="From", widget=forms.DateInput({"type": "date"}))
    until = forms.DateField(required=False, label="Through", widget=forms.DateInput({"type": "date"}))

    def wanted(self) -> AuditFilter:
        """What is wrong is looked for as nothing."""
        given = self.cleaned_data if self.is_valid() else {}
        texts = {name: (given.get(name) or "").replace("\x00", "") for name in ("actor", "action", "target")}
        since, until = given.get("since"), given.get("until")
        return AuditFilter(
            **texts,
            since=_midnight(since) if since else None,
            until=_midnight(until + datetime.timedelta(days=1)) if until else None,
        )


def _midnight(day: datetime.date) -> datetime.datetime:
    return datetime.datetime.combine(day, datetime.time(), datetime.UTC)
