"""Forms about budgets. Amounts are typed in dollars and kept in whole cents."""

from __future__ import annotations

import dataclasses
from decimal import Decimal
from typing import Any

from django import forms

from admin_api import access
from admin_api.actions.spend_limits import LARGEST
from dashboard.forms.form import Form
from dashboard.reports.budgets import PERIODS
from dashboard.reports.group_names import MOST_OPTIONS
from gateway.models import ApiKey, Membership, Organization, User, Workspace
from gateway.models.spend_limits import Period

WHOLE = "organization"
EACH = [(value, f"Each {PERIODS[Period(value)]}") for value in Period.values]


@dataclasses.dataclass(frozen=True)
class Scope:
    """What a budget is of: the one that is set, else the organization."""

    workspace: Workspace | None = None
    user: User | None = None
    api_key: ApiKey | None = None


def amount_field(label: str = "Amount in US dollars") -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        min_value=Decimal(0),
        max_value=Decimal(LARGEST) / 100,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "0.01", "inputmode": "decimal", "min": "0"}),
    )


class AmountForm(Form):
    amount = amount_field()

    @property
    def cents(self) -> int:
        return int(self.cleaned_data["amount"] * 100)


class BudgetForm(AmountForm):
    scope = forms.ChoiceField(label="For")
    period = forms.ChoiceField(label="Period", choices=EACH, initial=Period.MONTHLY)
    amount = amount_field()
    field_order = ("scope", "period", "amount")

    def __init__(self, organization: Organization, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._organization = organization
        field = self.fields["scope"]
        assert isinstance(field, forms.ChoiceField)
        field.choices = _scopes(organization)

    @property
    def whose(self) -> Scope:
        """Raises `NotFound` for what has gone meanwhile."""
        kind, _, id = self.cleaned_data["scope"].partition(":")
        match kind:
            case "workspace":
                return Scope(workspace=access.workspace(self._organization, id))
            case "user":
                return Scope(user=access.member(self._organization, id).user)
            case "api_key":
                return Scope(api_key=access.api_key(self._organization, id))
        return Scope()


class AskForm(Form):
    period = forms.ChoiceField(label="Period", choices=EACH, initial=Period.MONTHLY)
    reason = forms.CharField(
        label="Reason", required=False, max_length=1000, widget=forms.Textarea(attrs={"rows": 4})
    )


def _scopes(organization: Organization) -> list[Any]:
    """Three queries; the newest keys."""
    workspaces = organization.workspaces.filter(archived_at=None).order_by("-is_default", "name")
    people = Membership.objects.filter(organization=organization).select_related("user")
    keys = ApiKey.objects.filter(organization=organization, kind=ApiKey.Kind.API)
    live = keys.exclude(status=ApiKey.Status.ARCHIVED).order_by("-created_at")
    return [
        (WHOLE, "Whole organization"),
        ("Workspaces", [(f"workspace:{one.id}", one.name) for one in workspaces[:MOST_OPTIONS]]),
        (
            "Members",
            [
                (f"user:{one.user_id}", one.user.name or one.user.email)
                for one in people.order_by("user__name", "user__email")[:MOST_OPTIONS]
            ],
        ),
        ("API keys", [(f"api_key:{one.id}", one.name) for one in live[:MOST_OPTIONS]]),
    ]
