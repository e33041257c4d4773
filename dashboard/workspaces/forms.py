"""What may be said of a workspace, as forms whose data are the arguments of the actions."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from admin_api.actions.workspaces import MOST_CONTENT_DAYS
from admin_api.residency import GEOS, UNRESTRICTED, Residency
from dashboard.forms.form import Form
from gateway.models import Workspace

ALLOWED = [
    (UNRESTRICTED, "Anywhere"),
    ("us", "Only in the United States"),
    ("global", "Only without a place of their own (global)"),
    ("global,us", "In the United States or global"),
]
LONGEST_TAG_KEY, LONGEST_TAG, RESERVED = 128, 256, "anthropic"
DEFAULTS = [("global", "Global"), ("us", "United States")]


class SettingsForm(Form):
    """Name, colour and residency; `for_action` are the arguments of `workspaces.create` and `update`."""

    name = forms.CharField(label="Name", max_length=200, widget=forms.TextInput({"autocomplete": "off"}))
    display_color = forms.RegexField(
        "^#[0-9A-Fa-f]{6}$",
        label="Colour",
        widget=forms.TextInput({"type": "color"}),
        error_messages={"invalid": "Choose a colour such as #6C5BB9."},
    )
    allowed_inference_geos = forms.ChoiceField(
        label="Requests may be served",
        choices=ALLOWED,
        help_text="A request that asks for another place is refused, and so is one for which no provider promises it.",
    )
    default_inference_geo = forms.ChoiceField(label="Where, if a request does not say", choices=DEFAULTS)
    tags = forms.CharField(
        label="Tags",
        required=False,
        max_length=30_000,
        widget=forms.Textarea({"rows": 3, "spellcheck": "false"}),
        help_text="One a line, as in team: search. Reports and your own tools can tell workspaces apart by them.",
    )

    @classmethod
    def of(cls, workspace: Workspace) -> SettingsForm:
        return cls(initial=shown(workspace))

    def clean_tags(self) -> dict[str, str]:
        pairs = [line.partition(":") for line in self.cleaned_data["tags"].splitlines() if line.strip()]
        if not all(colon for _, colon, _ in pairs):
            raise forms.ValidationError(
                "A tag is a name and a value with a colon between, as in team: search."
            )
        tags = {key.strip(): value.strip() for key, _, value in pairs}
        for key, value in tags.items():
            if not 0 < len(key) <= LONGEST_TAG_KEY or len(value) > LONGEST_TAG or key.startswith(RESERVED):
                raise forms.ValidationError(
                    f"A tag has a name of up to {LONGEST_TAG_KEY} characters that does not begin with "
                    f"{RESERVED}, and a value of up to {LONGEST_TAG}."
                )
        return tags

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        allowed, default = given.get("allowed_inference_geos", ""), given.get("default_inference_geo")
        if allowed != UNRESTRICTED and default and default not in allowed.split(","):
            self.add_error(
                "default_inference_geo", "This is not among the places where requests may be served."
            )
        return given

    def for_action(self, held: Mapping[str, str] | None = None) -> dict[str, Any]:
        """`held` are the tags that there are: those that are not in the form go."""
        given = self.cleaned_data
        allowed = given["allowed_inference_geos"]
        geos = UNRESTRICTED if allowed == UNRESTRICTED else [geo for geo in GEOS if geo in allowed.split(",")]
        return {
            "name": given["name"],
            "display_color": given["display_color"],
            "residency": Residency(geos, given["default_inference_geo"]),
            "tags": {**dict.fromkeys(held or {}), **given["tags"]},
        }


def shown(workspace: Workspace) -> dict[str, str]:
    """The fields of `SettingsForm` as they are."""
    allowed = workspace.allowed_inference_geos
    return {
        "name": workspace.name,
        "display_color": workspace.display_color,
        "allowed_inference_geos": UNRESTRICTED if allowed is None else ",".join(sorted(allowed)),
        "default_inference_geo": workspace.default_inference_geo,
        "tags": "\n".join(f"{key}: {value}" for key, value in sorted(workspace.tags.items())),
    }


class ContentsForm(Form):
    days = forms.IntegerField(
        label="Days to keep what is asked and answered",
        min_value=0,
        max_value=MOST_CONTENT_DAYS,
        widget=forms.NumberInput({"inputmode": "numeric"}),
        help_text=f"Up to {MOST_CONTENT_DAYS}. 0 keeps nothing, and what is kept now goes at once.",
    )


class ModelsForm(Form):
    """Names a line; data are lists of names."""

    allowed_models = forms.CharField(
        label="Allowed models",
        required=False,
        max_length=20_000,
        widget=forms.Textarea({"rows": 4, "spellcheck": "false"}),
        help_text="One name or alias a line; * stands for anything, as in claude-haiku-*. None means all.",
    )
    denied_models = forms.CharField(
        label="Denied models",
        required=False,
        max_length=20_000,
        widget=forms.Textarea({"rows": 3, "spellcheck": "false"}),
        help_text="These are refused even where they are allowed above.",
    )

    @classmethod
    def of(cls, workspace: Workspace) -> ModelsForm:
        rules = {"allowed_models": workspace.allowed_models, "denied_models": workspace.denied_models}
        return cls(initial={field: "\n".join(names) for field, names in rules.items()})

    def for_action(self) -> dict[str, list[str]]:
        given = self.cleaned_data
        return {"allowed": given["allowed_models"].split(), "denied": given["denied_models"].split()}
