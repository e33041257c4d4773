"""Forms of the page of limits: whose they are, and which request is asked about."""

from __future__ import annotations

from django import forms

from dashboard.forms.form import Form
from dashboard.limits.holders import Chosen, keys_to_choose, workspaces_to_choose


class HoldersForm(Form):
    """Sent by GET, so that what was chosen is in the address; whoever changes the workspace chooses a key after it."""

    workspace = forms.ChoiceField(label="Workspace", required=False)
    key = forms.ChoiceField(label="API key", required=False)

    def __init__(self, chosen: Chosen) -> None:
        workspace_id = chosen.workspace.id if chosen.workspace is not None else ""
        key_id = chosen.key.id if chosen.key is not None else ""
        super().__init__(initial={"workspace": workspace_id, "key": key_id})
        workspaces, keys = workspaces_to_choose(chosen.place), keys_to_choose(chosen)
        self.fields["workspace"].choices = [("", "All"), *((one.id, one.name) for one in workspaces)]
        self.fields["key"].choices = [("", "All"), *((one.id, f"{one.name} ({one.hint})") for one in keys)]


class RequestForm(Form):
    request_id = forms.CharField(
        label="Request id",
        max_length=64,
        required=False,
        widget=forms.TextInput({"placeholder": "req_…", "autocomplete": "off", "spellcheck": "false"}),
    )
