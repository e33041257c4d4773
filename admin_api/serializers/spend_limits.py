"""Spend limits and what is spent of them, as the API shows and takes them."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from admin_api.changes import shown
from admin_api.money import CURRENCY, cents
from admin_api.queries.spend_limits import SCOPES
from admin_api.serializers.base import Body, Choice, Constant, PageQuery, Text
from admin_api.serializers.money import Cents
from gateway.models import User
from gateway.models.spend_limits import Period

_FINEST = Decimal("0.001")  # cents
_IDS = {"workspace": "workspace_id", "user": "user_id"}  # by type of scope; the organization needs none
_SCOPE = {
    "oneOf": [
        {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": [type]},
                **({id: {"type": "string"}} if id is not None else {}),
            },
            "required": ["type", *([id] if id is not None else [])],
        }
        for type, id in {type: _IDS.get(type) for type in SCOPES}.items()
    ]
}


@extend_schema_field({"type": "string", "pattern": r"^[0-9]+(\.[0-9]{1,3})?$"})
class SpendInCents(serializers.Field):
    """US dollars as a decimal string of cents, to a thousandth of a cent."""

    def to_representation(self, value: Decimal) -> str:
        return shown(cents(value).quantize(_FINEST))


@extend_schema_field(_SCOPE)
class Scope(serializers.Field):
    """As `SpendLimit.scope`."""

    def to_representation(self, value: dict[str, str]) -> dict[str, str]:
        return value


class UserScopeSerializer(serializers.Serializer):
    type = Constant("user")
    user_id = serializers.CharField(source="id")


class SpendLimitSerializer(serializers.Serializer):
    """A `SpendLimit`."""

    id = serializers.CharField()
    type = Constant("spend_limit")
    scope = Scope()
    amount = Cents(allow_null=True)
    currency = Constant(CURRENCY)
    period = serializers.ChoiceField(Period.choices)
    is_enabled = serializers.BooleanField(read_only=True, default=True)
    created_at = serializers.DateTimeField()
    updated_at = serializers.DateTimeField()


class SpendLimitRemovedSerializer(serializers.Serializer):
    """`{id, type}`."""

    id = serializers.CharField()
    type = Constant("spend_limit_deleted")


class UserActorSerializer(serializers.Serializer):
    """A `User`."""

    type = Constant("user_actor")
    user_id = serializers.CharField(source="id")
    name = serializers.SerializerMethodField()
    email_address = serializers.CharField(source="email", allow_null=True)
    deleted = serializers.BooleanField(read_only=True, default=False)

    def get_name(self, user: User) -> str | None:
        return user.name or None


class SpendSummarySerializer(serializers.Serializer):
    """A `SpendSummary`: `source` is the scope that the limit comes from."""

    actor = UserActorSerializer(source="user")
    scope = UserScopeSerializer(source="user")
    source = Scope(source="limit.scope")
    spend_limit_id = serializers.CharField(source="limit.id")
    amount = Cents(source="limit.amount", allow_null=True)
    currency = Constant(CURRENCY)
    period = serializers.ChoiceField(Period.choices, source="limit.period")
    period_to_date_spend = SpendInCents(source="spend")


class SpendLimitListQuery(PageQuery):
    scope_type = serializers.ListField(child=Choice(list(SCOPES)), default=list, max_length=20)
    workspace_id = Text(required=False, max_length=100, help_text="Only limits of this workspace.")


class EffectiveSpendLimitsQuery(PageQuery):
    user_ids = serializers.ListField(child=Text(max_length=100), default=list, max_length=100)
    period = serializers.ListField(child=Choice(Period.choices), default=list, max_length=20)


class SpendLimitScopeBody(Body):
    """What a limit covers; `workspace_id` and `user_id` go with their types only."""

    type = Choice(list(SCOPES))
    workspace_id = Text(required=False, max_length=100, help_text="The default workspace by its id, too.")
    user_id = Text(required=False, max_length=100, help_text="A member of the organization.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        needed = _IDS.get(attrs["type"])
        for id in _IDS.values():
            if id == needed and id not in attrs:
                raise serializers.ValidationError({id: ["Field required"]})
            if id != needed and id in attrs:
                raise serializers.ValidationError({id: ["Extra inputs are not permitted"]})
        return attrs


class SpendLimitSet(Body):
    """A new limit, or another amount for the one of this scope and period."""

    scope = SpendLimitScopeBody()
    amount = Cents(allow_null=True, help_text="US cents; null says that there is no limit.")
    period = Choice(Period.choices, default=Period.MONTHLY, help_text="In UTC: from 00:00, Monday, the 1st.")
