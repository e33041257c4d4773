"""What operators fill in about providers; what it means as arguments of the actions."""

from __future__ import annotations

from typing import Any

from django import forms
from msgspec import UNSET

from admin_api.catalog import Timeouts, WeightedKey
from admin_api.catalog_checks import (
    BATCHES,
    KEY,
    LONGEST_KEY,
    LONGEST_NAME,
    MOST_SECONDS,
    MOST_WEIGHT,
    NATIVE_BATCHES,
    ON_DISCONNECT,
    is_key,
    takes_batches,
)
from admin_api.provider_addresses import provider_address
from dashboard.catalog.names import named
from dashboard.forms.form import Form
from gateway.models import Provider
from gateway.protocol.vendors import VENDORS

SPOKEN = {"anthropic": "Anthropic Messages", "openai": "OpenAI Chat Completions"}
ON_LEAVING = {"abort": "Stop the provider's answer", "drain": "Let it finish, for the prompt cache"}
CARRIED = {"emulated": "One request at a time", "native": "Handed over whole"}


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
        return named(self.cleaned_data["name"], LONGEST_NAME)

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
