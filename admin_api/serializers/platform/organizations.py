"""Organizations, as operators see and set them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from admin_api.catalog_checks import LONGEST_MODEL, LONGEST_NAME
from admin_api.serializers.base import Body, Constant, IdQuery, Text
from admin_api.serializers.limits import GroupLimitsField, GroupLimitsShown, OwnLimitsBody

MOST_RULES = 1000
USUAL_TIER = "basic"


class PlatformOrganizationSerializer(serializers.Serializer):
    """An `Organization` with its tier. `limits` and `group_limits` are its own; in `effective_limits` they stand over
    the tier's, for models without a group.
    """

    id = serializers.UUIDField()
    type = Constant("organization")
    name = serializers.CharField()
    tier = serializers.CharField(source="tier.name")
    limits = serializers.DictField(child=serializers.IntegerField(allow_null=True))
    group_limits = GroupLimitsShown()
    effective_limits = serializers.DictField(child=serializers.IntegerField())
    allowed_models = serializers.ListField(child=serializers.CharField())
    denied_models = serializers.ListField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    suspended_at = serializers.DateTimeField(allow_null=True)
    prepaid_since = serializers.DateTimeField(allow_null=True)


class PlatformOrganizationMadeSerializer(PlatformOrganizationSerializer):
    """With `invite_url`, which is told once."""

    invite_url = serializers.CharField(
        allow_null=True, help_text="Where `admin_email` becomes an admin; null where none was given."
    )


class PlatformOrganizationListQuery(IdQuery):
    after_id = serializers.UUIDField(required=False, help_text="The page right after this object.")
    before_id = serializers.UUIDField(required=False, help_text="The page right before this object.")
    name = Text(required=False, max_length=200, help_text="A part of the name; case does not count.")
    tier = Text(required=False, max_length=LONGEST_NAME, help_text="The whole name of a tier.")
    suspended = serializers.BooleanField(required=False)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        checked = super().validate(attrs)
        return {name: str(value) if name.endswith("_id") else value for name, value in checked.items()}


class RuleNames(serializers.ListField):
    """Names and aliases of models; `*` stands for anything, and null is none."""

    def __init__(self) -> None:
        names = Text(max_length=LONGEST_MODEL)
        super().__init__(child=names, required=False, allow_null=True, max_length=MOST_RULES)


EMPTY: dict[str, object] = {"limits": {}, "group_limits": {}, "allowed_models": [], "denied_models": []}


class PlatformOrganizationBody(Body):
    """What a new organization and a changed one have in common; null clears."""

    limits = OwnLimitsBody(required=False, allow_null=True, help_text="Null is none.")
    group_limits = GroupLimitsField(allow_null=True)
    allowed_models = RuleNames()
    denied_models = RuleNames()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return attrs | {name: empty for name, empty in EMPTY.items() if attrs.get(name, empty) is None}


class PlatformOrganizationCreate(PlatformOrganizationBody):
    """A new organization."""

    name = Text(max_length=200, help_text="No other organization has it.")
    tier = Text(max_length=LONGEST_NAME, default=USUAL_TIER, help_text="The name of a tier.")
    admin_email = serializers.EmailField(
        required=False, max_length=254, help_text="Who is invited to be its first admin."
    )


class PlatformOrganizationUpdate(PlatformOrganizationBody):
    """What changes; what is absent stays. `limits`, `group_limits` and the lists of models are whole."""

    name = Text(max_length=200, required=False, help_text="No other organization has it.")
    tier = Text(max_length=LONGEST_NAME, required=False, help_text="The name of a tier.")
    prepaid = serializers.BooleanField(
        required=False, help_text="Whether it is held to its credit: refused once that is empty."
    )
