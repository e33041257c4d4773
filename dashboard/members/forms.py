"""Forms about members: which are shown, their role, and what becomes of the keys of who is removed."""

from __future__ import annotations

from typing import Any

from django import forms

from admin_api.queries import members as queries
from admin_api.queries.service_accounts import service_accounts
from dashboard.forms.form import Form
from dashboard.forms.typed_name import TypedName
from dashboard.frame.role_words import GRANTED, ROLES, WHO_MAKES_ADMINS
from gateway.models import Membership

MOST_HEIRS = 500
ARCHIVE, HAND_OVER = "archive", "hand_over"


class FilterForm(Form):
    """Of the list; what is not understood filters nothing."""

    q = forms.CharField(label="Name or email", required=False, max_length=200)
    role = forms.ChoiceField(label="Role", required=False, choices=[("", "All roles"), *ROLES.items()])


class RoleForm(Form):
    role = forms.ChoiceField(label="Role", choices=GRANTED, help_text=WHO_MAKES_ADMINS)


class RemoveForm(Form):
    """`keys` is there where the member has keys, `typed` is their address."""

    keys = forms.ChoiceField(
        label="What becomes of these keys",
        choices=[
            (ARCHIVE, "Archive them: they stop working now"),
            (HAND_OVER, "Hand them over: they go on working, for somebody else"),
        ],
        widget=forms.RadioSelect,
        initial=ARCHIVE,
    )
    keys_to = forms.ChoiceField(
        label="Hand over to",
        required=False,
        help_text="The secrets stay the same. Whoever has left may still know them: rotate the keys afterwards.",
    )

    def __init__(self, *args: Any, member: Membership, has_keys: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if has_keys:
            self.fields["keys_to"].choices = [("", "Nobody"), *_heirs(member)]
        else:
            del self.fields["keys"], self.fields["keys_to"]
        self.fields["typed"] = TypedName(member.user.email)

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        if given.get("keys") == HAND_OVER and not given.get("keys_to"):
            self.add_error("keys_to", "Choose who gets them.")
        return given


def _heirs(member: Membership) -> list[tuple[str, list[tuple[str, str]]]]:
    """Other members and live service accounts, as the groups of a select."""
    others = queries.members(member.organization).exclude(pk=member.pk).order_by("user__email")[:MOST_HEIRS]
    accounts = service_accounts(member.organization, include_archived=False).order_by("name")[:MOST_HEIRS]
    groups = [
        ("Members", [(one.user_id, one.user.email) for one in others]),
        ("Service accounts", [(one.id, one.name) for one in accounts]),
    ]
    return [group for group in groups if group[1]]
