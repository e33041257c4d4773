"""Forms of the page of limits: whose they are, which request is asked about, and what a workspace allows."""

from __future__ import annotations

from collections.abc import Mapping

from django import forms

from admin_api.limits import LARGEST
from dashboard import figures
from dashboard.form import Form
from dashboard.limit_gauges import ALL_LABELS
from dashboard.limit_holders import Chosen, keys_to_choose, workspaces_to_choose
from gateway.limit_pools import limits_of, names_in
from gateway.models import Workspace

ALIAS = "input_tokens_per_minute_cache_aware"  # counts what `input_tokens_per_minute` does


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


class WorkspaceLimitsForm(Form):
    """A field for each limit that there can be in the pool; an empty one is no limit of the workspace's own."""

    def __init__(self, workspace: Workspace, pool: str, data: Mapping[str, str] | None) -> None:
        own = limits_of(pool, workspace.limits, workspace.group_limits)
        above = workspace.organization.effective_limits(pool)
        super().__init__(data, initial={name: value for name, value in own.items() if value is not None})
        for name in names_in(pool):
            if name != ALIAS or ALIAS in own or ALIAS in above:
                self.fields[name] = _field(name, above.get(name))
                self.fields[name].widget.attrs |= {"class": "input", "inputmode": "numeric"}


def _field(name: str, above: int | None) -> forms.IntegerField:
    told = f"The organization allows {figures.count(above)}." if above else "The organization has no limit."
    return forms.IntegerField(
        label=ALL_LABELS[name] + (" (cache-aware)" if name == ALIAS else ""),
        required=False,
        min_value=1,
        max_value=LARGEST,
        help_text=told,
    )
