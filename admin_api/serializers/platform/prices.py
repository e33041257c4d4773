"""Prices of models, as operators see and set them: decimal numbers in strings, exactly."""

from __future__ import annotations

import datetime
import re
from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from admin_api.catalog import Rates
from admin_api.catalog_checks import MOMENT, MOST_TOKENS, RATE_PLACES, is_factor, is_moment
from admin_api.changes import shown
from admin_api.serializers.base import Body
from gateway.models import Price
from gateway.price import LongContext, rates_of

CACHED = ("cache_read", "cache_write_5m", "cache_write_1h")
_RATE = rf"\d{{1,10}}(\.\d{{1,{RATE_PLACES}}})?"
_DOLLARS = {"type": "string", "pattern": f"^{_RATE}$", "examples": ["3", "0.075"]}


@extend_schema_field(_DOLLARS)
class Dollars(serializers.Field):
    """US dollars per million tokens: a string with at most ten digits on each side of the point."""

    def to_internal_value(self, data: object) -> Decimal:
        if not isinstance(data, str) or not re.fullmatch(_RATE, data, re.ASCII):
            raise serializers.ValidationError('Input should be a decimal number in a string, such as "0.075"')
        return Decimal(data)

    def to_representation(self, value: Decimal) -> str:
        return shown(value)


class LongContextSerializer(serializers.Serializer):
    """A `LongContext`."""

    threshold = serializers.IntegerField()
    input = Dollars()
    output = Dollars()
    cache_read = Dollars()
    cache_write_5m = Dollars()
    cache_write_1h = Dollars()


class PriceSerializer(serializers.Serializer):
    """A `Price`."""

    input = Dollars()
    output = Dollars()
    cache_read = Dollars()
    cache_write_5m = Dollars()
    cache_write_1h = Dollars()
    batch_factor = Dollars()
    web_search = Dollars()
    long_context = serializers.SerializerMethodField()
    effective_at = serializers.DateTimeField()

    @extend_schema_field(LongContextSerializer(allow_null=True))
    def get_long_context(self, price: Price) -> dict[str, Any] | None:
        found = rates_of(vars(price)).long_context
        return None if found is None else LongContextSerializer(found).data


class LongContextBody(Body):
    """For requests with more input tokens than this, read from the cache or not: the whole request costs this."""

    threshold = serializers.IntegerField(min_value=1, max_value=MOST_TOKENS)
    input = Dollars()
    output = Dollars()
    cache_read = Dollars(required=False)
    cache_write_5m = Dollars(required=False)
    cache_write_1h = Dollars(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return dict.fromkeys(CACHED, attrs["input"]) | attrs


class PriceBody(Body):
    """A whole price. What is not given for the cache costs as much as input, a batch half and a search nothing."""

    input = Dollars()
    output = Dollars()
    cache_read = Dollars(required=False)
    cache_write_5m = Dollars(required=False)
    cache_write_1h = Dollars(required=False)
    batch_factor = Dollars(required=False, help_text="What tokens of a batch cost of this, from 0 to 1.")
    web_search = Dollars(required=False, help_text="US dollars per thousand searches.")
    long_context = LongContextBody(required=False, allow_null=True)
    effective_at = serializers.DateTimeField(
        required=False, allow_null=True, help_text="In the future; without it from now on."
    )

    def validate_batch_factor(self, value: Decimal) -> Decimal:
        if not is_factor(value):
            raise serializers.ValidationError("Input should be less than or equal to 1")
        return value

    def validate_effective_at(self, value: datetime.datetime | None) -> datetime.datetime | None:
        if value is not None and not is_moment(value):
            raise serializers.ValidationError(f"expected {MOMENT}")
        return value

    def to_internal_value(self, data: Any) -> Any:
        """A `Rates`."""
        given = super().to_internal_value(data)
        long = given.pop("long_context", None)
        usual = dict.fromkeys(CACHED, given["input"])
        return Rates(**usual | given, long_context=LongContext(**long) if long else None)
