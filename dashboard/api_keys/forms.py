"""The forms of an API key: what a new one is made with, what changes in one that there is, how it is rotated."""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from django import forms
from msgspec import UNSET

from admin_api import access
from admin_api.actions.api_keys import Cap
from admin_api.queries.member_workspaces import member_workspaces
from admin_api.queries.members import members
from admin_api.queries.service_accounts import service_accounts
from dashboard.api_keys.lines import CENTS
from dashboard.api_keys.listing import WHOLE_ORGANIZATION
from dashboard.forms.form import Form
from dashboard.forms.typed_name import TypedName
from gateway.errors import GatewayError
from gateway.models import ApiKey, Membership
from gateway.models.spend_limits import Period

# Those that people set; what was set by the API beside them stays.
LIMITS = {
    "requests_per_minute": "Requests per minute",
    "tokens_per_minute": "Tokens per minute",
    "input_tokens_per_minute": "Input tokens per minute",
    "output_tokens_per_minute": "Output tokens per minute",
    "concurrent_requests": "Concurrent requests",
}
NOBODY = ""
MOST_OWNERS = 500  # that are offered
OVERLAPS = {
    "0": "ends at once",
    "3600": "works for 1 hour more",
    "86400": "works for 24 hours more",
    "604800": "works for 7 days more",
}


class Lines(forms.CharField):
    """A list, one item a line."""

    widget = forms.Textarea

    def __init__(self, **options: Any) -> None:
        widget = forms.Textarea(attrs={"rows": 3, "spellcheck": "false", "autocapitalize": "off"})
        super().__init__(required=False, widget=widget, **options)

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def to_python(self, value: Any) -> list[str]:
        return [line.strip() for line in (value or "").splitlines() if line.strip()]


class KeyForm(Form):
    """What a new key and a changed one have in common. `base` are the limits that the key has already."""

    name = forms.CharField(max_length=500, widget=forms.TextInput(attrs={"autocomplete": "off"}))
    expires_at = forms.DateTimeField(
        required=False,
        label="Expires (UTC)",
        widget=forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="Empty: it works until somebody ends it.",
    )
    spend_amount = forms.DecimalField(
        required=False,
        label="Spend limit in dollars",
        min_value=0,
        max_digits=14,
        decimal_places=2,
        widget=forms.NumberInput(attrs={"step": "0.01", "inputmode": "decimal"}),
    )
    spend_period = forms.ChoiceField(
        required=False,
        label="Period of the spend limit",
        choices=[("monthly", "a month"), ("weekly", "a week"), ("daily", "a day")],
        widget=forms.Select(attrs={"aria-label": "Period of the spend limit"}),
    )
    allowed_models = Lines(
        label="Allowed models", help_text="One a line, * stands for anything. Empty: all of the workspace."
    )
    denied_models = Lines(label="Denied models")
    allowed_ips = Lines(
        label="Allowed addresses",
        help_text="One address or network a line, such as 203.0.113.0/24. Empty: all.",
    )

    base: dict[str, Any] = {}  # noqa: RUF012 - replaced, never changed

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        for name, label in LIMITS.items():
            widget = forms.NumberInput(attrs={"class": "input", "inputmode": "numeric"})
            self.fields[name] = forms.IntegerField(label=label, required=False, min_value=1, widget=widget)

    @property
    def limit_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in LIMITS]

    @property
    def restricts(self) -> bool:
        """Whether anything below the first fields is filled in, or wrong."""
        told = ("spend_amount", "allowed_models", "denied_models", "allowed_ips", *LIMITS)
        return any(self[name].value() or self[name].errors for name in told)

    def given(self) -> dict[str, Any]:
        """For the action; of a form that is valid."""
        data = self.cleaned_data
        limits = {name: value for name, value in self.base.items() if name not in LIMITS}
        limits |= {name: data[name] for name in LIMITS if data[name] is not None}
        return {
            "name": data["name"],
            "expires_at": data["expires_at"],
            "limits": limits,
            "allowed_models": data["allowed_models"],
            "denied_models": data["denied_models"],
            "allowed_ips": data["allowed_ips"],
            "spend_limit": _cap(data["spend_amount"], data["spend_period"]),
        }

    def refuse(self, error: GatewayError) -> None:
        """`limits.requests_per_minute: ...` and `allowed_ips.3: ...` have their fields too."""
        place, colon, words = error.message.partition(": ")
        known = [part for part in reversed(place.split(".")) if part in self.fields]
        super().refuse(type(error)(f"{known[0]}: {words}") if colon and known else error)


class NewKeyForm(KeyForm):
    """`place` is where the member who makes the key stands; what they may not choose is not among the choices."""

    def __init__(self, member: Membership, *args: Any, **kwargs: Any) -> None:
        self._member = member
        super().__init__(*args, **kwargs)
        choices = _workspaces(member)
        self.fields["workspace"] = _choice("Workspace", choices)
        if member.role == Membership.Role.ADMIN:
            self.fields["owner"] = _choice("Acts for", _owners(member), required=False)
            self.fields["owner"].initial = NOBODY
        self.initial.setdefault("workspace", choices[0][0] if choices else "")

    def given(self) -> dict[str, Any]:
        return super().given() | self._workspace() | self._owner()

    def _workspace(self) -> dict[str, Any]:
        chosen = self.cleaned_data["workspace"]
        if chosen == WHOLE_ORGANIZATION:
            return {"workspace": None}
        return {"workspace": access.workspace(self._member.organization, chosen)}

    def _owner(self) -> dict[str, Any]:
        """Who may not choose makes keys that act for themselves, so that a member's limits hold for all of them."""
        if "owner" not in self.fields:
            return {"user": self._member.user}
        kind, _, id = self.cleaned_data["owner"].partition(":")
        if kind == "user":
            return {"user": access.member(self._member.organization, id).user}
        return {"service_account": access.service_account(self._member.organization, id)} if id else {}


class FirstKeyForm(NewKeyForm):
    """Little to fill in: a key of one workspace that acts for who makes it."""

    def __init__(self, member: Membership, *args: Any, **kwargs: Any) -> None:
        super().__init__(member, *args, **kwargs)
        self.fields.pop("owner", None)
        self.fields["name"].initial = "Quickstart"
        workspaces = [one for one in _workspaces(member) if one[0] != WHOLE_ORGANIZATION]
        self.fields["workspace"] = _choice("Workspace", workspaces)
        if len(workspaces) == 1:
            self.fields["workspace"].widget = forms.HiddenInput()


class ChangedKeyForm(KeyForm):
    def __init__(self, key: ApiKey, *args: Any, **kwargs: Any) -> None:
        self.base = key.limits
        super().__init__(*args, initial=_initial(key), **kwargs)

    def given(self) -> dict[str, Any]:
        """An expiry that was not touched stays as it is, to the second, and may have passed."""
        untouched = {} if "expires_at" in self.changed_data else {"expires_at": UNSET}
        return super().given() | untouched


class FindForm(Form):
    """A whole key; what was pasted is never shown again."""

    secret = forms.CharField(
        label="Whole key",
        max_length=200,
        widget=forms.PasswordInput(attrs={"autocomplete": "off", "spellcheck": "false"}),
        help_text="Paste a key to see whose it is. It is compared by its digest, and neither stored nor logged.",
    )


class ArchiveForm(Form):
    """The key's own name, typed as a sign that it is the right one."""

    def __init__(self, name: str, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["typed"] = TypedName(name)


class RotateForm(ArchiveForm):
    """And how long the secret before goes on working."""

    overlap = forms.ChoiceField(
        label="The secret in use",
        choices=list(OVERLAPS.items()),
        widget=forms.RadioSelect,
        initial="86400",
    )

    @property
    def length(self) -> datetime.timedelta:
        return datetime.timedelta(seconds=int(self.cleaned_data["overlap"]))


def _choice(label: str, choices: Sequence[tuple[str, str]], *, required: bool = True) -> forms.ChoiceField:
    widget = forms.Select(attrs={"class": "input"})
    return forms.ChoiceField(label=label, choices=list(choices), required=required, widget=widget)


def _workspaces(member: Membership) -> list[tuple[str, str]]:
    live = member_workspaces(member).filter(archived_at=None).order_by("-is_default", "name")
    choices = list(live.values_list("id", "name"))
    return (
        [*choices, (WHOLE_ORGANIZATION, "The whole organization")]
        if member.role == Membership.Role.ADMIN
        else choices
    )


def _owners(member: Membership) -> list[tuple[str, str]]:
    """The maker first, then service accounts, then everybody else."""
    accounts = service_accounts(member.organization, include_archived=False).order_by("name")
    others = members(member.organization).exclude(user=member.user_id).order_by("user__name", "user__email")
    return [
        (NOBODY, "Nobody: it stays when people leave"),
        (f"user:{member.user_id}", f"{member.user.name or member.user.email} (you)"),
        *(
            (f"account:{account.id}", f"{account.name} (service account)")
            for account in accounts[:MOST_OWNERS]
        ),
        *((f"user:{one.user_id}", one.user.name or one.user.email) for one in others[:MOST_OWNERS]),
    ]


def _initial(key: ApiKey) -> dict[str, Any]:
    cap = next((one for one in key.spend_limits.all() if one.amount is not None), None)
    return {
        "name": key.name,
        "expires_at": key.expires_at and key.expires_at.replace(second=0, microsecond=0),
        "spend_amount": cap and f"{Decimal(cap.amount) / CENTS:.2f}",
        "spend_period": cap.period if cap else Period.MONTHLY,
        "allowed_models": key.allowed_models,
        "denied_models": key.denied_models,
        "allowed_ips": key.allowed_ips,
        **{name: key.limits[name] for name in LIMITS if name in key.limits},
    }


def _cap(dollars: Any, period: str) -> Cap | None:
    return None if dollars is None else Cap(int(dollars * CENTS), period or Period.MONTHLY)
