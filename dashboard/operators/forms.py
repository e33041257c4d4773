"""What operators fill in about tiers, organizations, credit and their own keys."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from django import forms

from admin_api.actions.credit import LARGEST, LONGEST_NOTE
from admin_api.catalog_checks import LONGEST_NAME, NAME, is_name
from dashboard.forms.form import Form
from dashboard.operators.limit_forms import LimitsForm
from gateway.models import Organization, Tier


class TierForm(LimitsForm):
    name = forms.CharField(max_length=LONGEST_NAME, label="Name")
    reserve_worst_case = forms.BooleanField(
        label="Reserve a request's whole max_tokens",
        required=False,
        help_text="Else what the key and the model usually produce is reserved.",
    )

    def __init__(self, *args: Any, tier: Tier | None = None, **kwargs: Any) -> None:
        of = tier or Tier()
        super().__init__(
            *args,
            limits=of.limits,
            group_limits=of.group_limits,
            lifting=False,
            initial={"reserve_worst_case": of.reserve_worst_case},
            **kwargs,
        )
        if tier is not None:
            del self.fields["name"]

    def clean_name(self) -> str:
        name: str = self.cleaned_data["name"]
        if not is_name(name, LONGEST_NAME):
            raise forms.ValidationError(f"Expected {NAME.format(LONGEST_NAME)}.")
        return name

    def arguments(self) -> dict[str, Any]:
        """Of `tiers.upsert`, without the name."""
        return {
            "limits": self.limits(),
            "group_limits": self.group_limits(),
            "reserve_worst_case": self.cleaned_data["reserve_worst_case"],
        }


def _tier_field() -> forms.ModelChoiceField:
    return forms.ModelChoiceField(
        Tier.objects.order_by("name"), to_field_name="name", label="Tier", empty_label=None
    )


class NewOrganizationForm(Form):
    name = forms.CharField(max_length=200, label="Name")
    tier = _tier_field()
    admin_email = forms.EmailField(
        label="First admin's e-mail",
        required=False,
        help_text="You get a link for them, which is shown once.",
    )

    def arguments(self) -> dict[str, Any]:
        """Of `organizations.set_up`."""
        return {**self.cleaned_data, "admin_email": self.cleaned_data["admin_email"] or None}


class OrganizationForm(LimitsForm):
    name = forms.CharField(max_length=200, label="Name")
    tier = _tier_field()
    allowed_models = forms.CharField(
        label="Models it may use",
        required=False,
        widget=forms.Textarea({"rows": 3}),
        help_text="Names and aliases, one a line; * stands for anything. Empty is all of them.",
    )
    denied_models = forms.CharField(
        label="Models it may not use", required=False, widget=forms.Textarea({"rows": 3})
    )

    def __init__(self, *args: Any, organization: Organization, **kwargs: Any) -> None:
        super().__init__(
            *args,
            limits=organization.limits,
            group_limits=organization.group_limits,
            lifting=True,
            initial={
                "name": organization.name,
                "tier": organization.tier.name,
                "allowed_models": "\n".join(organization.allowed_models),
                "denied_models": "\n".join(organization.denied_models),
            },
            **kwargs,
        )

    def arguments(self) -> dict[str, Any]:
        """Of `organizations.update`."""
        return {
            "name": self.cleaned_data["name"],
            "tier": self.cleaned_data["tier"],
            "limits": self.limits(),
            "group_limits": self.group_limits(),
            "allowed_models": self.cleaned_data["allowed_models"].split(),
            "denied_models": self.cleaned_data["denied_models"].split(),
        }


class CreditForm(Form):
    amount = forms.DecimalField(
        label="US dollars",
        decimal_places=2,
        max_digits=16,
        help_text="Added, or taken after a minus.",
    )
    note = forms.CharField(label="What for", required=False, max_length=LONGEST_NOTE)

    def clean_amount(self) -> Decimal:
        amount: Decimal = self.cleaned_data["amount"]
        if not amount or abs(amount * 100) > LARGEST:
            raise forms.ValidationError("Expected an amount other than 0.")
        return amount

    def arguments(self) -> dict[str, Any]:
        """Of `credit.adjust`: whole cents."""
        return {"amount": int(self.cleaned_data["amount"] * 100), "note": self.cleaned_data["note"]}


class OperatorKeyForm(Form):
    name = forms.CharField(max_length=200, label="Name")
    expires_on = forms.DateField(
        label="Last day (UTC)",
        required=False,
        widget=forms.DateInput({"type": "date"}),
        help_text="Empty is for good, until it is revoked.",
    )

    def arguments(self) -> dict[str, Any]:
        """Of `operator_keys.create`."""
        day: datetime.date | None = self.cleaned_data["expires_on"]
        end = datetime.datetime.combine(day, datetime.time(), datetime.UTC) if day else None
        return {
            "name": self.cleaned_data["name"],
            "expires_at": end + datetime.timedelta(days=1) if end else None,
        }
