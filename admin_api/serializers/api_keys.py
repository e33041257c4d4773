"""API keys of an organization, as the API shows and takes them. Secrets are shown by two operations, once each."""

from __future__ import annotations

import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from admin_api.actions.api_keys import LONGEST_OVERLAP, Cap
from admin_api.networks import MOST as MOST_NETWORKS
from admin_api.serializers.base import Body, Choice, Constant, IdQuery, Text
from admin_api.serializers.limits import GroupLimitsField, GroupLimitsShown
from admin_api.serializers.money import Cents, SpendLimitOfKeySerializer
from gateway.limiters import LIMIT_NAMES
from gateway.models import ApiKey
from gateway.models.spend_limits import Period

STATUSES = [*ApiKey.Status.values, "expired"]
MOST_NAMES = 500  # of models in a rule


def _union(*shapes: dict[str, dict[str, Any]], nullable: bool = False) -> dict[str, Any]:
    """The OpenAPI schema of one of several objects."""
    objects = [{"type": "object", "properties": shape, "required": list(shape)} for shape in shapes]
    return {"oneOf": [*objects, {"type": "null"}] if nullable else objects}


def _is(value: str) -> dict[str, Any]:
    return {"type": "string", "enum": [value]}


ID = {"type": "string"}


class OfKey(serializers.Field):
    """Something that is said of a key as a whole."""

    def __init__(self) -> None:
        super().__init__(source="*", read_only=True)


@extend_schema_field(
    _union({"type": _is("user"), "id": ID}, {"type": _is("service_account"), "id": ID}, nullable=True)
)
class CreatedBy(OfKey):
    """Who made it; null where that was an Admin key or the command line."""

    def to_representation(self, value: ApiKey) -> dict[str, str] | None:
        return {"id": value.created_by_id, "type": "user"} if value.created_by_id else None


@extend_schema_field(
    _union(
        {"type": _is("user_actor"), "user_id": ID},
        {"type": _is("service_account_actor"), "service_account_id": ID},
        nullable=True,
    )
)
class Principal(OfKey):
    """Who it acts for, if anybody."""

    def to_representation(self, value: ApiKey) -> dict[str, str] | None:
        if value.user_id:
            return {"type": "user_actor", "user_id": value.user_id}
        if value.service_account_id:
            return {"type": "service_account_actor", "service_account_id": value.service_account_id}
        return None


@extend_schema_field(_union({"type": _is("workspace"), "workspace_id": ID}, {"type": _is("organization")}))
class Scope(OfKey):
    """Its workspace by the real id, that of the default one too, or the whole organization."""

    def to_representation(self, value: ApiKey) -> dict[str, str]:
        if value.workspace_id:
            return {"type": "workspace", "workspace_id": value.workspace_id}
        return {"type": "organization"}


@extend_schema_field({"type": ["string", "null"]})
class LegacyWorkspace(OfKey):
    """As version 2023-06-01 has it: the default workspace is null."""

    def to_representation(self, value: ApiKey) -> str | None:
        return value.workspace.public_id if value.workspace else None


class ApiKeySerializer(serializers.Serializer):
    """An `ApiKey` as the SDK's, and beside it what only this gateway has."""

    id = serializers.CharField()
    type = Constant("api_key")
    name = serializers.CharField()
    status = serializers.ChoiceField(STATUSES, source="current_status")
    partial_key_hint = serializers.CharField(source="hint")
    scope = Scope()
    workspace_id = LegacyWorkspace()
    principal = Principal()
    created_by = CreatedBy()
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)
    allowed_models = serializers.ListField(child=serializers.CharField())
    denied_models = serializers.ListField(child=serializers.CharField())
    allowed_ips = serializers.ListField(child=serializers.CharField())
    limits = serializers.DictField(child=serializers.IntegerField())
    group_limits = GroupLimitsShown()
    spend_limit = serializers.SerializerMethodField()
    previous_key_expires_at = serializers.SerializerMethodField()

    @extend_schema_field(SpendLimitOfKeySerializer(allow_null=True))
    def get_spend_limit(self, key: ApiKey) -> dict[str, str] | None:
        limits = list(key.spend_limits.all())
        found: dict[str, str] | None = SpendLimitOfKeySerializer(limits[0]).data if limits else None
        return found

    def get_previous_key_expires_at(self, key: ApiKey) -> datetime.datetime | None:
        """Until when the secret before the last rotation still works; null when it does not."""
        if key.previous_until is None:
            return None
        until = min(key.previous_until, key.expires_at or key.previous_until)
        return until if until > timezone.now() else None


class ApiKeyWithSecretSerializer(ApiKeySerializer):
    """With the secret, which is in no other answer; the context has it as `secret`."""

    key = serializers.SerializerMethodField()

    def get_key(self, key: ApiKey) -> str:
        return str(self.context["secret"])


class ApiKeyListQuery(IdQuery):
    status = Choice(STATUSES, required=False)
    workspace_id = Text(required=False, max_length=100, help_text="The real id, of the default one too.")
    created_by_user_id = Text(required=False, max_length=100)


class ScopeBody(Body):
    type = Choice(["workspace", "organization"])
    workspace_id = Text(required=False, max_length=100, help_text="Where `type` is `workspace`.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (attrs["type"] == "workspace") != ("workspace_id" in attrs):
            wrong = "Field required" if attrs["type"] == "workspace" else "An organization scope has none"
            raise serializers.ValidationError({"workspace_id": [wrong]})
        return attrs


class PrincipalBody(Body):
    type = Choice(["user_actor", "service_account_actor"])
    user_id = Text(required=False, max_length=100, help_text="Where `type` is `user_actor`.")
    service_account_id = Text(
        required=False, max_length=100, help_text="Where `type` is `service_account_actor`."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wanted = attrs["type"].removesuffix("_actor") + "_id"
        if wanted not in attrs:
            raise serializers.ValidationError({wanted: ["Field required"]})
        if len(attrs) > 2:
            raise serializers.ValidationError({"type": [f"Only {wanted} goes with it"]})
        return attrs


class SpendLimitOfKeyBody(Body):
    amount = Cents(help_text="Whole cents.")
    period = Choice(Period.values)

    def validate(self, attrs: dict[str, Any]) -> Cap:
        return Cap(**attrs)


class ModelNames(serializers.ListField):
    """Names and aliases, `*` standing for anything; null is none."""

    def __init__(self, **options: Any) -> None:
        usual = {"required": False, "allow_null": True, "max_length": MOST_NAMES}
        super().__init__(child=Text(max_length=200), **usual | options)


class KeyLimits(serializers.DictField):
    """Limits of the key by name; null is none."""

    def __init__(self, **options: Any) -> None:
        usual = {"required": False, "allow_null": True, "help_text": f"Any of {', '.join(LIMIT_NAMES)}."}
        super().__init__(child=serializers.IntegerField(min_value=1), **usual | options)


EMPTY: dict[str, object] = {
    "allowed_models": [],
    "denied_models": [],
    "allowed_ips": [],
    "limits": {},
    "group_limits": {},
}


class KeyBody(Body):
    """What a new key and a changed one have in common; null clears."""

    expires_at = serializers.DateTimeField(required=False, allow_null=True, help_text="In the future.")
    allowed_models = ModelNames(help_text="Only these models may be called; none allows all.")
    denied_models = ModelNames(help_text="These may not be called.")
    allowed_ips = serializers.ListField(
        child=Text(max_length=60),
        required=False,
        allow_null=True,
        max_length=MOST_NETWORKS,
        help_text="Addresses and networks (CIDR) that the key may be used from; none allows all.",
    )
    limits = KeyLimits()
    group_limits = GroupLimitsField(allow_null=True)
    spend_limit = SpendLimitOfKeyBody(required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return attrs | {name: empty for name, empty in EMPTY.items() if attrs.get(name, empty) is None}


class ApiKeyCreate(KeyBody):
    """A new key."""

    name = Text(max_length=500)
    workspace_id = Text(
        required=False, allow_null=True, max_length=100, help_text="Null or absent is the default one."
    )
    scope = ScopeBody(required=False, allow_null=True)
    principal = PrincipalBody(required=False, allow_null=True, help_text="Who the key acts for.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        scope, workspace_id = attrs.get("scope"), attrs.get("workspace_id")
        if scope and workspace_id and scope.get("workspace_id") != workspace_id:
            raise serializers.ValidationError({"scope": ["It names another place than workspace_id"]})
        return attrs


class ApiKeyUpdate(KeyBody):
    """What changes in a key; what is absent stays."""

    name = Text(required=False, allow_null=True, max_length=500)
    status = Choice(ApiKey.Status.values, required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs = super().validate(attrs)
        return {field: value for field, value in attrs.items() if value is not None or field in CLEARED}


CLEARED = ("expires_at", "spend_limit")  # null means "none" there, and "as it is" for name and status


class ApiKeyRotate(Body):
    """How long the secret before goes on working."""

    overlap_seconds = serializers.IntegerField(
        min_value=0, max_value=int(LONGEST_OVERLAP.total_seconds()), default=0
    )
