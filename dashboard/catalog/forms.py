"""What operators fill in about providers, models and prices; what it means as arguments of the actions."""

from __future__ import annotations

import datetime
from decimal import Decimal
from typing import Any

from django import forms
from msgspec import UNSET

from admin_api.catalog import Rates, RouteTo, Timeouts, WeightedKey
from admin_api.catalog_checks import (
    BATCHES,
    KEY,
    LONGEST_KEY,
    LONGEST_MODEL,
    LONGEST_NAME,
    LONGEST_TITLE,
    MOST_SECONDS,
    MOST_TOKENS,
    MOST_WEIGHT,
    NAME,
    NATIVE_BATCHES,
    ON_DISCONNECT,
    RATE_PLACES,
    is_key,
    is_moment,
    is_name,
    takes_batches,
)
from admin_api.provider_addresses import provider_address
from dashboard.forms.form import Form
from gateway.models import Model, ModelGroup, Price, Provider
from gateway.price import CLASSES, LongContext
from gateway.protocol.vendors import VENDORS

SPOKEN = {"anthropic": "Anthropic Messages", "openai": "OpenAI Chat Completions"}
ON_LEAVING = {"abort": "Stop the provider's answer", "drain": "Let it finish, for the prompt cache"}
CARRIED = {"emulated": "One request at a time", "native": "Handed over whole"}
MOST_ROUTES = 100


def _named(text: str, longest: int) -> str:
    if not is_name(text, longest):
        raise forms.ValidationError(f"Expected {NAME.format(longest)}.")
    return text


class ProviderKeyForm(Form):
    key = forms.CharField(
        max_length=LONGEST_KEY,
        label="Key",
        strip=True,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text="Stored encrypted and never shown again.",
    )
    weight = forms.IntegerField(
        min_value=1,
        max_value=MOST_WEIGHT,
        initial=100,
        label="Weight",
        help_text="Its share beside the other keys.",
    )

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if not is_key(key):
            raise forms.ValidationError(f"Expected {KEY}.")
        return key

    def weighted(self) -> WeightedKey:
        return WeightedKey(self.cleaned_data["key"], self.cleaned_data["weight"])


class ProviderForm(Form):
    """Preset, dialect and address are one place: what is left empty is the preset's."""

    name = forms.CharField(
        max_length=LONGEST_NAME, label="Name", help_text="As routes and the audit log call it."
    )
    preset = forms.ChoiceField(label="Vendor", required=False)
    dialect = forms.ChoiceField(label="Dialect", required=False)
    base_url = forms.CharField(
        max_length=500,
        label="Base URL",
        required=False,
        help_text="Without the endpoint. Empty is the vendor's own address.",
    )
    key = forms.CharField(
        max_length=LONGEST_KEY,
        label="Key",
        required=False,
        widget=forms.PasswordInput({"autocomplete": "off"}),
        help_text="Stored encrypted and never shown again. Engines at home may need none.",
    )
    connect = forms.FloatField(label="Connect", required=False, help_text="Seconds; empty is 5.")
    first_byte = forms.FloatField(
        label="First byte", required=False, help_text="Seconds; empty is 60 for streams, 600 for JSON."
    )
    idle = forms.FloatField(label="Between events", required=False, help_text="Seconds; empty is 60.")
    on_disconnect = forms.ChoiceField(
        label="When a client leaves", choices=[(name, ON_LEAVING[name]) for name in ON_DISCONNECT]
    )
    batches = forms.ChoiceField(label="Message batches", choices=[(name, CARRIED[name]) for name in BATCHES])

    def __init__(self, *args: Any, provider: Provider | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        vendors = [(name, name) for name in sorted(VENDORS)]
        self.fields["preset"].choices = [("", "Another one"), *vendors]
        self.fields["dialect"].choices = [("", "The vendor's"), *SPOKEN.items()]
        if provider is not None:
            del self.fields["name"], self.fields["key"]

    @staticmethod
    def initial_of(row: Provider) -> dict[str, object]:
        return {
            "preset": row.preset,
            "dialect": row.dialect,
            "base_url": row.base_url,
            "connect": row.connect_timeout,
            "first_byte": row.first_byte_timeout,
            "idle": row.idle_timeout,
            "on_disconnect": row.on_disconnect,
            "batches": row.batches,
        }

    def clean_name(self) -> str:
        return _named(self.cleaned_data["name"], LONGEST_NAME)

    def clean_key(self) -> str:
        key: str = self.cleaned_data["key"]
        if key and not is_key(key):
            raise forms.ValidationError(f"Expected {KEY}.")
        return key

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        for name in ("connect", "first_byte", "idle"):
            if given.get(name) is not None and not 0 < given[name] <= MOST_SECONDS:
                self.add_error(name, f"Expected seconds, above 0 and up to {MOST_SECONDS}.")
        vendor = VENDORS.get(given.get("preset", ""))
        given["dialect"] = given.get("dialect") or (vendor.dialect if vendor else "")
        if not given["dialect"]:
            self.add_error("dialect", "Choose how this provider speaks.")
            return given
        if not takes_batches(given.get("batches"), given["dialect"]):
            self.add_error("batches", NATIVE_BATCHES.capitalize() + ".")
        self._clean_address(given, vendor.base_url if vendor else "")
        return given

    def _clean_address(self, given: dict[str, Any], of_vendor: str) -> None:
        if not given.get("base_url"):
            given["base_url"] = of_vendor
            if not of_vendor:
                self.add_error("base_url", "This vendor has no address of its own: give yours.")
            return
        try:
            given["base_url"] = provider_address(given["base_url"], given["dialect"])
        except ValueError as problem:
            self.add_error("base_url", f"{str(problem).capitalize()}.")

    def arguments(self) -> dict[str, Any]:
        """Of `providers.upsert`, without the name of one that is there."""
        given = self.cleaned_data
        key = given.get("key")
        return {
            **({"name": given["name"]} if "name" in given else {}),
            "preset": given["preset"],
            "dialect": given["dialect"],
            "base_url": given["base_url"],
            "timeouts": Timeouts(given["connect"], given["first_byte"], given["idle"]),
            "on_disconnect": given["on_disconnect"],
            "batches": given["batches"],
            "api_keys": [WeightedKey(key)] if key else UNSET,
        }


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
        return _named(self.cleaned_data["name"], LONGEST_MODEL)

    def clean_aliases(self) -> list[str]:
        names = [_named(name, LONGEST_MODEL) for name in self.cleaned_data["aliases"].split()]
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
        return _named(name, LONGEST_MODEL) if name else ""


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


def _rate(label: str, *, required: bool = False, help_text: str = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label,
        required=required,
        min_value=0,
        max_digits=20,
        decimal_places=RATE_PLACES,
        help_text=help_text,
    )


class PriceForm(Form):
    """US dollars per million tokens. Caches cost as much as input where nothing is given."""

    input = _rate("Input", required=True)
    output = _rate("Output", required=True)
    cache_read = _rate("Cache read")
    cache_write_5m = _rate("Cache write, 5 min")
    cache_write_1h = _rate("Cache write, 1 h")
    batch_factor = forms.DecimalField(
        label="Batch factor",
        min_value=0,
        max_value=1,
        decimal_places=RATE_PLACES,
        initial="0.5",
        help_text="What tokens of a batch cost of this.",
    )
    web_search = _rate("Web search", help_text="Per thousand searches.")
    threshold = forms.IntegerField(
        label="Long context from",
        required=False,
        min_value=1,
        max_value=MOST_TOKENS,
        help_text="Input tokens, cached or not. A longer request costs the rates below.",
    )
    long_input = _rate("Input")
    long_output = _rate("Output")
    long_cache_read = _rate("Cache read")
    long_cache_write_5m = _rate("Cache write, 5 min")
    long_cache_write_1h = _rate("Cache write, 1 h")
    effective_at = forms.DateTimeField(
        label="From when (UTC)",
        required=False,
        widget=forms.DateTimeInput({"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"),
        help_text="In the future. Empty is from now on.",
    )

    @staticmethod
    def initial_of(price: Price | None) -> dict[str, object]:
        if price is None:
            return {}
        plain = {name: _plain(getattr(price, name)) for name in (*CLASSES, "batch_factor", "web_search")}
        long = {f"long_{name}": _plain(getattr(price, f"long_context_{name}")) for name in CLASSES}
        return {**plain, **long, "threshold": price.long_context_threshold}

    def clean_effective_at(self) -> datetime.datetime | None:
        at: datetime.datetime | None = self.cleaned_data["effective_at"]
        if at is not None and not is_moment(at):
            raise forms.ValidationError("Expected a time of the years 2000 to 2199.")
        return at

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or {}
        if given.get("threshold") is not None:
            for name in ("long_input", "long_output"):
                if given.get(name) is None:
                    self.add_error(name, "What does a request cost that is longer?")
        return given

    def rates(self) -> Rates:
        given = self.cleaned_data
        plain = {name: _or(given[name], given["input"]) for name in CLASSES}
        long = None
        if given["threshold"] is not None:
            above = {name: _or(given[f"long_{name}"], given["long_input"]) for name in CLASSES}
            long = LongContext(threshold=given["threshold"], **above)
        return Rates(
            **plain,
            batch_factor=given["batch_factor"],
            web_search=_or(given["web_search"], Decimal(0)),
            long_context=long,
            effective_at=given["effective_at"],
        )


def _or(given: Decimal | None, otherwise: Decimal) -> Decimal:
    return otherwise if given is None else given


def _plain(rate: Decimal | None) -> str:
    """As a person writes it, without zeros at the end."""
    if rate is None:
        return ""
    text = f"{rate:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
