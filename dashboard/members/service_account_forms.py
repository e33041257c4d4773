"""Forms about service accounts: what they are, and where they work."""

from __future__ import annotations

from typing import Any

from django import forms

from admin_api.roles import WorkspaceRole
from dashboard.forms.form import Form
from dashboard.frame.role_words import GRANTED_IN_WORKSPACE
from gateway.models import ServiceAccount, Workspace

ROLES = [
    (str(ServiceAccount.Role.DEVELOPER), "Developer"),
    (str(ServiceAccount.Role.ADMIN), "Admin"),
]


class DetailsForm(Form):
    description = forms.CharField(
        label="Description", required=False, max_length=1000, widget=forms.Textarea({"rows": 2})
    )
    organization_role = forms.ChoiceField(label="Role in the organization", choices=ROLES)


class NewForm(DetailsForm):
    name = forms.CharField(
        label="Name",
        max_length=64,
        widget=forms.TextInput({"autocomplete": "off", "autocapitalize": "off", "spellcheck": "false"}),
        help_text="Lowercase letters, digits and hyphens, such as deploy-bot. It cannot be changed.",
    )
    field_order = ("name", "description", "organization_role")


class PlaceForm(Form):
    """`workspace_id` is one of the organization's live ones."""

    workspace_id = forms.ChoiceField(label="Workspace")
    role = forms.ChoiceField(
        label="Role there", choices=GRANTED_IN_WORKSPACE, initial=WorkspaceRole.DEVELOPER
    )

    def __init__(self, live: list[Workspace], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["workspace_id"].choices = [(one.id, one.name) for one in live]
