"""Credit of any organization, as operators see and change it."""

from __future__ import annotations

import re
from decimal import Decimal

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from admin_api.changes import shown
from admin_api.serializers.base import Body, Constant, Text
from admin_api.serializers.money import MOST_DIGITS, Cents
from admin_api.serializers.spend_limits import SpendInCents

_SIGNED = re.compile(rf"-?[0-9]{{1,{MOST_DIGITS}}}")
_FINEST = Decimal("0.001")  # cents


class SignedCents(Cents):
    """As `Cents`, up or down: "-500" takes 5 dollars."""

    pattern = _SIGNED
    default_error_messages = {  # noqa: RUF012 - DRF's own attribute
        "invalid": f"Input should be a string of 1 to {MOST_DIGITS} digits, after a minus or not: whole cents"
    }


@extend_schema_field({"type": "string", "pattern": r"^-?[0-9]+(\.[0-9]{1,3})?$"})
class BalanceInCents(serializers.Field):
    """A decimal string of cents, to a thousandth of a cent; below zero by what was in flight at the end."""

    def to_representation(self, value: Decimal) -> str:
        return shown(value.quantize(_FINEST))


class CreditActorSerializer(serializers.Serializer):
    """Who made an entry: a type and an id, as in the audit log."""

    type = serializers.CharField(source="actor_type")
    id = serializers.CharField(source="actor_id")


class CreditEntrySerializer(serializers.Serializer):
    """A `CreditEntry`."""

    id = serializers.CharField()
    type = Constant("credit_entry")
    amount = SignedCents()
    note = serializers.CharField()
    created_at = serializers.DateTimeField()
    created_by = CreditActorSerializer(source="*")


class CreditSerializer(serializers.Serializer):
    """A `Credit`: what was granted, spent and is left, in US cents."""

    prepaid_since = serializers.DateTimeField(allow_null=True)
    granted = SignedCents()
    spent = SpendInCents()
    balance = BalanceInCents()


class CreditEntryMadeSerializer(CreditEntrySerializer):
    """With what is left after it."""

    balance = BalanceInCents()


class CreditPageSerializer(CreditSerializer):
    """The credit as it is now, and a page of its entries."""

    data = CreditEntrySerializer(many=True)
    has_more = serializers.BooleanField()
    first_id = serializers.CharField(allow_null=True)
    last_id = serializers.CharField(allow_null=True)


class CreditAdjust(Body):
    """One change of the credit."""

    amount = SignedCents(help_text="US cents: added, or taken after a minus; not 0.")
    note = Text(max_length=1000, required=False, allow_blank=True, help_text="What it was for.")
