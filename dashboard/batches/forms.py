"""Forms that start a batch: from a file, or from what failed of another one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django import forms

from admin_api.queries.batch_owners import BatchOwner
from dashboard.forms.form import Form
from dashboard.frame import figures
from gateway.bounded_body import MAX_UPLOAD_BYTES
from gateway.models import MessageBatch

AGAIN = ("errored", "expired", "canceled")  # what may be sent again
OWN = "No key: billed to you, as in the Playground"


class OwnerField(forms.ChoiceField):
    """A key in a workspace, or none: the value is a `BatchOwner`."""

    def __init__(self, owners: Sequence[BatchOwner]) -> None:
        self._owners = {owner.id: owner for owner in owners}
        places: dict[str, list[tuple[str, str]]] = {}
        for owner in owners:
            name = OWN if owner.key is None else f"{owner.key.name} ({owner.key.hint})"
            places.setdefault(owner.workspace.name, []).append((owner.id, name))
        super().__init__(
            label="Runs as", choices=list(places.items()), help_text="Limits and cost are this key's."
        )

    def clean(self, value: Any) -> BatchOwner:
        return self._owners[super().clean(value)]


class NewBatchForm(Form):
    file = forms.FileField(
        label="Requests",
        help_text=f"JSON Lines, up to {MAX_UPLOAD_BYTES // 1024**2} MB:"
        ' {"custom_id": "…", "params": {"model": "…", …}} on each line. Larger batches go over the API.',
        widget=forms.FileInput({"accept": ".jsonl,.ndjson,.json,.txt"}),
    )

    def __init__(self, owners: Sequence[BatchOwner], *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"] = OwnerField(owners)
        self.fields["owner"].widget.attrs["class"] = "input"


class AgainForm(Form):
    states = forms.MultipleChoiceField(label="Which requests", widget=forms.CheckboxSelectMultiple)

    def __init__(self, batch: MessageBatch, owners: Sequence[BatchOwner], data: Any = None) -> None:
        counts = {state: getattr(batch, state) for state in AGAIN}
        there = [state for state in AGAIN if counts[state]]
        same = next((one.id for one in owners if _is_of(one, batch)), None)
        super().__init__(data, initial={"states": there[:1], "owner": same})
        self.fields["states"].choices = [
            (state, f"{figures.count(counts[state])} {state}") for state in there
        ]
        self.fields["owner"] = OwnerField(owners)
        self.fields["owner"].widget.attrs["class"] = "input"


def _is_of(owner: BatchOwner, batch: MessageBatch) -> bool:
    """The key that the batch was made with, in its workspace."""
    key_id = owner.key.id if owner.key is not None else ""
    return owner.workspace.id == batch.workspace_id and key_id == batch.api_key_id
