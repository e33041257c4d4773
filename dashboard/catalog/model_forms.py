"""What operators fill in about models and the ways to them; what it means as arguments of the actions."""

from __future__ import annotations

from typing import Any

from django import forms

from admin_api.catalog import RouteTo
from admin_api.catalog_checks import LONGEST_MODEL, LONGEST_TITLE, MOST_TOKENS, MOST_WEIGHT
from dashboard.catalog.names import named
from dashboard.forms.form import Form
from gateway.models import Model, ModelGroup

MOST_ROUTES = 100


class ModelForm(Form):
    name = forms.CharField(max_length=LONGEST_MODEL, label="Name", help_text="What clients ask for.")
    display_name = forms.CharField(max_length=LONGEST_TITLE, label="Shown as", required=False)
    aliases = forms.CharField(
        label="Aliases",
        required=False,
        widget=forms.Textarea({"rows": 3}),
        help_text="Other names that clients may ask for, one a line.",
    )
    group = forms.ChoiceField(
        label="Model group",
        required=False,
        help_text="Models of one group are limited together.",
    )
    max_input_tokens = forms.IntegerField(
        label="Context window", required=False, min_value=1, max_value=MOST_TOKENS, help_text="Tokens."
    )
    max_output_tokens = forms.IntegerField(
        label="Longest answer", required=False, min_value=1, max_value=MOST_TOKENS, help_text="Tokens."
    )

    def __init__(self, *args: Any, model: Model | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        groups = list(ModelGroup.objects.order_by("name").values_list("name", "display_name"))
        self.fields["group"].choices = [("", "None"), *groups]
        if model is not None:
            del self.fields["name"]

    @staticmethod
    def initial_of(row: Any) -> dict[str, object]:
        return {
            "display_name": row.display_name,
            "aliases": "\n".join(sorted(alias.alias for alias in row.aliases.all())),
            "group": row.group.name if row.group else "",
            "max_input_tokens": row.max_input_tokens,
            "max_output_tokens": row.max_output_tokens,
        }

    def clean_name(self) -> str:
        return named(self.cleaned_data["name"], LONGEST_MODEL)

    def clean_aliases(self) -> list[str]:
        names = [named(name, LONGEST_MODEL) for name in self.cleaned_data["aliases"].split()]
        if len(set(names)) < len(names):
            raise forms.ValidationError("A name stands here twice.")
        return names

    def arguments(self, name: str) -> dict[str, Any]:
        """Of `models.upsert`, without its routes and price."""
        given = self.cleaned_data
        return {
            "name": name,
            "display_name": given["display_name"] or name,
            "aliases": given["aliases"],
            "group": given["group"] or None,
            "max_input_tokens": given["max_input_tokens"],
            "max_output_tokens": given["max_output_tokens"],
        }


class RouteForm(Form):
    """A way to the model; one without a provider is none."""

    provider = forms.ChoiceField(label="Provider", required=False)
    model = forms.CharField(
        max_length=LONGEST_MODEL, label="Model there", required=False, help_text="Empty is the same name."
    )
    priority = forms.IntegerField(label="Priority", min_value=0, max_value=MOST_WEIGHT, initial=1)
    weight = forms.IntegerField(label="Weight", min_value=1, max_value=MOST_WEIGHT, initial=100)

    def __init__(self, *args: Any, providers: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["provider"].choices = [
            ("", "None"),
            *((name, name) for name in providers),
        ]

    def clean_model(self) -> str:
        name: str = self.cleaned_data["model"]
        return named(name, LONGEST_MODEL) if name else ""


class BaseRouteFormSet(forms.BaseFormSet):
    def routes(self, name: str) -> list[RouteTo]:
        """In the order in which they stand; a route that names no model leads to one of the same name."""
        given = [form.cleaned_data for form in self.forms if form.cleaned_data.get("provider")]
        return [
            RouteTo(one["provider"], one["model"] or name, one["priority"], one["weight"]) for one in given
        ]


RouteFormSet = forms.formset_factory(
    RouteForm, formset=BaseRouteFormSet, extra=2, max_num=MOST_ROUTES, validate_max=True
)
