"""Models, as operators see and set them. Prices are decimal numbers in strings, exactly."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from admin_api.catalog_checks import (
    LONGEST_MODEL,
    LONGEST_NAME,
    LONGEST_TITLE,
    MOST_TOKENS,
    MOST_WEIGHT,
    NAME,
    is_name,
    is_title,
)
from admin_api.serializers.base import Body, Constant, Text
from admin_api.serializers.platform.prices import PriceBody, PriceSerializer
from gateway.models import Model
from gateway.models.catalog import Origin

MOST_ROUTES = 100
MOST_ALIASES = 1000


class RouteSerializer(serializers.Serializer):
    """A `Route`."""

    provider = serializers.CharField(source="provider.name")
    model = serializers.CharField(source="upstream_model")
    priority = serializers.IntegerField()
    weight = serializers.IntegerField()


class PlatformModelSerializer(serializers.Serializer):
    """A `Model` as `queries.catalog.models` has it."""

    type = Constant("model")
    name = serializers.CharField()
    origin = serializers.ChoiceField(Origin.choices)
    display_name = serializers.CharField()
    aliases = serializers.SerializerMethodField()
    group = serializers.CharField(source="group.name", default=None, allow_null=True)
    routes = RouteSerializer(many=True)
    max_input_tokens = serializers.IntegerField(allow_null=True)
    max_output_tokens = serializers.IntegerField(allow_null=True)
    price = serializers.SerializerMethodField(help_text="In force now; null: what is used costs nothing.")
    scheduled_prices = PriceSerializer(many=True, help_text="Prices that follow, the first one first.")
    created_at = serializers.DateTimeField()

    def get_aliases(self, model: Model) -> list[str]:
        return sorted(alias.alias for alias in model.aliases.all())

    @extend_schema_field(PriceSerializer(allow_null=True))
    def get_price(self, model: Any) -> dict[str, Any] | None:
        return PriceSerializer(model.current_prices[0]).data if model.current_prices else None


class ModelName(Text):
    """As models are called, here or at a provider."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{"max_length": LONGEST_MODEL} | options)

    def to_internal_value(self, data: object) -> str:
        name = super().to_internal_value(data)
        if not is_name(name, LONGEST_MODEL):
            raise serializers.ValidationError(f"expected {NAME.format(LONGEST_MODEL)}")
        return name


class RouteBody(Body):
    provider = Text(max_length=LONGEST_NAME, help_text="The name of a provider.")
    model = ModelName(
        required=False, help_text="What the model is called there; the same if nothing is given."
    )
    priority = serializers.IntegerField(
        min_value=0, max_value=MOST_WEIGHT, default=1, help_text="The lowest is tried first."
    )
    weight = serializers.IntegerField(
        min_value=1, max_value=MOST_WEIGHT, default=100, help_text="The share among routes of one priority."
    )


class PlatformModelBody(Body):
    """`routes` and `aliases` are whole lists; of the others what is absent stays."""

    routes = serializers.ListField(child=RouteBody(), allow_empty=False, max_length=MOST_ROUTES)
    display_name = Text(required=False, max_length=LONGEST_TITLE)
    aliases = serializers.ListField(child=ModelName(), required=False, max_length=MOST_ALIASES)
    group = Text(
        required=False,
        allow_null=True,
        max_length=LONGEST_NAME,
        help_text="The name of a model group, whose models are limited together; null is none.",
    )
    max_input_tokens = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MOST_TOKENS
    )
    max_output_tokens = serializers.IntegerField(
        required=False, allow_null=True, min_value=1, max_value=MOST_TOKENS
    )
    price = PriceBody(required=False, help_text="A whole price; usage keeps what it was charged by.")

    def validate_display_name(self, value: str) -> str:
        if not is_title(value):
            raise serializers.ValidationError("Input should be printable text")
        return value

    def validate_aliases(self, value: list[str]) -> list[str]:
        if len(set(value)) < len(value):
            raise serializers.ValidationError("a name stands here twice")
        return value


class PlatformModelRemovedSerializer(serializers.Serializer):
    """`{name, type}`."""

    name = serializers.CharField()
    type = Constant("model_deleted")
