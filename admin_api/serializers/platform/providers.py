"""Providers, as operators see and set them. Secrets only come in."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from admin_api.catalog import Timeouts, WeightedKey
from admin_api.catalog_checks import (
    BATCHES,
    DIALECTS,
    KEY,
    MOST_SECONDS,
    MOST_WEIGHT,
    NATIVE_BATCHES,
    ON_DISCONNECT,
    is_key,
    is_timeout,
    takes_batches,
)
from admin_api.provider_addresses import provider_address
from admin_api.serializers.base import Body, Choice, Constant, Text
from gateway.models.catalog import Origin
from gateway.protocol.vendors import VENDORS, Vendor

LONGEST_ADDRESS = 500
MOST_KEYS = 1000


class ProviderKeySerializer(serializers.Serializer):
    """A `ProviderKey`."""

    hint = serializers.CharField(
        source="api_key_hint", help_text="Its last characters, empty for a short one."
    )
    weight = serializers.IntegerField()


class TimeoutsSerializer(serializers.Serializer):
    """Of a `Provider`, in seconds; null is the gateway's own."""

    connect = serializers.FloatField(source="connect_timeout", allow_null=True)
    first_byte = serializers.FloatField(source="first_byte_timeout", allow_null=True)
    idle = serializers.FloatField(source="idle_timeout", allow_null=True)


class PlatformProviderSerializer(serializers.Serializer):
    """A `Provider` as `queries.catalog.providers` has it."""

    type = Constant("provider")
    name = serializers.CharField()
    origin = serializers.ChoiceField(Origin.choices)
    preset = serializers.SerializerMethodField()
    dialect = serializers.ChoiceField(DIALECTS)
    base_url = serializers.CharField(allow_blank=True)
    api_keys = ProviderKeySerializer(source="keys", many=True)
    timeouts = TimeoutsSerializer(source="*")
    on_disconnect = serializers.ChoiceField(ON_DISCONNECT)
    batches = serializers.ChoiceField(BATCHES)

    def get_preset(self, provider: Any) -> str | None:
        return provider.preset or None


class ProviderSecret(Text):
    """No refusal says what stood here."""

    def __init__(self) -> None:
        super().__init__(write_only=True, trim_whitespace=False, help_text=f"{KEY[0].upper()}{KEY[1:]}.")

    def to_internal_value(self, data: object) -> str:
        if not isinstance(data, str) or not is_key(data):
            raise serializers.ValidationError(f"expected {KEY}")
        return data


class ProviderKeyBody(Body):
    key = ProviderSecret()
    weight = serializers.IntegerField(min_value=1, max_value=MOST_WEIGHT, default=100)


class Seconds(serializers.FloatField):
    def __init__(self) -> None:
        super().__init__(
            required=False, allow_null=True, help_text=f"Seconds, above 0 and up to {MOST_SECONDS}."
        )

    def to_internal_value(self, data: object) -> float:
        if isinstance(data, bool) or not isinstance(data, (int, float)):
            raise serializers.ValidationError("Input should be a valid number")
        if not is_timeout(data):
            raise serializers.ValidationError(f"Input should be above 0 and up to {MOST_SECONDS}")
        return float(data)


class TimeoutsBody(Body):
    """All of them: one that is absent or null is the gateway's own."""

    connect = Seconds()
    first_byte = Seconds()
    idle = Seconds()


class PlatformProviderBody(Body):
    """Preset, dialect and address are given together; of the others what is absent stays."""

    preset = Choice(sorted(VENDORS), required=False, help_text="A vendor that is known by name.")
    dialect = Choice(DIALECTS, required=False, help_text="The preset's, if there is one.")
    base_url = Text(
        required=False, max_length=LONGEST_ADDRESS, help_text="The preset's, where nothing else is given."
    )
    api_keys = serializers.ListField(
        child=ProviderKeyBody(), required=False, max_length=MOST_KEYS, help_text="All keys of the provider."
    )
    timeouts = TimeoutsBody(required=False)
    on_disconnect = Choice(
        ON_DISCONNECT, required=False, help_text="What becomes of an answer whose client has left."
    )
    batches = Choice(
        BATCHES,
        required=False,
        help_text="`native` hands message batches on whole; only of the dialect anthropic.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """The arguments of the action."""
        vendor = VENDORS.get(attrs.get("preset", ""))
        attrs["dialect"] = _dialect(attrs.get("dialect"), vendor)
        if not takes_batches(attrs.get("batches"), attrs["dialect"]):
            raise serializers.ValidationError({"batches": [NATIVE_BATCHES]})
        attrs["base_url"] = _address(attrs.get("base_url"), attrs["dialect"], vendor)
        if "timeouts" in attrs:
            attrs["timeouts"] = Timeouts(**attrs["timeouts"])
        if "api_keys" in attrs:
            attrs["api_keys"] = [WeightedKey(**one) for one in attrs["api_keys"]]
        return attrs


class PlatformProviderRemovedSerializer(serializers.Serializer):
    """`{name, type}`."""

    name = serializers.CharField()
    type = Constant("provider_deleted")


def _dialect(given: str | None, vendor: Vendor | None) -> str:
    dialect = given or (vendor.dialect if vendor is not None else None)
    if dialect is None:
        raise serializers.ValidationError({"dialect": ["Field required"]})
    if vendor is not None and dialect != vendor.dialect:
        raise serializers.ValidationError(
            {"dialect": [f"the preset {vendor.name} speaks {vendor.dialect}; leave dialect out"]}
        )
    return dialect


def _address(given: str | None, dialect: str, vendor: Vendor | None) -> str:
    of_preset = vendor.base_url if vendor is not None else ""
    if given is None:
        if not of_preset and dialect != "simulator":
            raise serializers.ValidationError({"base_url": ["Field required"]})
        return of_preset
    try:
        return provider_address(given, dialect)
    except ValueError as problem:
        raise serializers.ValidationError({"base_url": [str(problem)]}) from None
