"""Workspaces of an organization, as the API shows and takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from django.core.validators import RegexValidator
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from admin_api.residency import GEOS, UNRESTRICTED, Residency
from admin_api.serializers.base import Body, Choice, Constant, IdQuery, Text
from gateway.models import Workspace

LONGEST_TAG_KEY = 128
LONGEST_TAG = 256
RESERVED = "anthropic"
WORKSPACE_GEO = "us"
_ALLOWED_GEOS = {
    "oneOf": [
        {"type": "string", "enum": [UNRESTRICTED]},
        {"type": "array", "items": {"type": "string", "enum": list(GEOS)}, "minItems": 1},
    ]
}


@extend_schema_field(_ALLOWED_GEOS)
class AllowedGeos(serializers.Field):
    """`"unrestricted"`, or a list of geographies with something in it."""

    _geos = serializers.ListField(child=Choice(GEOS), allow_empty=False, max_length=10)

    def to_internal_value(self, data: object) -> list[str] | str:
        if data == UNRESTRICTED:
            return UNRESTRICTED
        if isinstance(data, str):
            raise serializers.ValidationError(f"Input should be {UNRESTRICTED!r} or a list")
        checked: list[str] = self._geos.run_validation(data)
        return checked

    def get_attribute(self, instance: Workspace) -> list[str] | str:
        allowed: list[str] | None = instance.allowed_inference_geos
        return UNRESTRICTED if allowed is None else allowed

    def to_representation(self, value: list[str] | str) -> list[str] | str:
        return value


class DataResidencySerializer(serializers.Serializer):
    """Of a `Workspace`."""

    workspace_geo = Constant(WORKSPACE_GEO)
    allowed_inference_geos = AllowedGeos()
    default_inference_geo = serializers.ChoiceField(GEOS)


class WorkspaceSerializer(serializers.Serializer):
    """A `Workspace` as the SDK's; keys of customers and user profiles do not exist here."""

    id = serializers.CharField()
    type = Constant("workspace")
    name = serializers.CharField()
    display_color = serializers.CharField()
    compartment_id = serializers.CharField()
    data_residency = DataResidencySerializer(source="*")
    external_key_id = serializers.CharField(allow_null=True, read_only=True, default=None)
    user_profile_id = serializers.CharField(allow_null=True, read_only=True, default=None)
    tags = serializers.DictField(child=serializers.CharField())
    created_at = serializers.DateTimeField()
    archived_at = serializers.DateTimeField(allow_null=True)


class WorkspaceListQuery(IdQuery):
    include_archived = serializers.BooleanField(default=False)
    include_default = serializers.BooleanField(default=False)
    ids = serializers.ListField(
        child=Text(max_length=100),
        default=list,
        max_length=100,
        help_text="Only these; the other filters still count.",
    )


class Color(Text):
    def __init__(self, **options: Any) -> None:
        shape = RegexValidator("^#[0-9A-Fa-f]{6}$", message="Input should be a color such as #6C5BB9")
        super().__init__(**{"validators": [shape]} | options)


@extend_schema_field(OpenApiTypes.STR)
class NotOffered(serializers.Field):
    """A field of Anthropic's API for what this gateway has not; null asks for nothing."""

    def __init__(self, **options: Any) -> None:
        usual = {
            "required": False,
            "allow_null": True,
            "help_text": "Not offered by this gateway: only null.",
        }
        super().__init__(**usual | options)

    def to_internal_value(self, data: object) -> NoReturn:
        raise serializers.ValidationError("not offered by this gateway")


class Tags(serializers.DictField):
    """Keys of 1 to 128 characters that do not begin with `anthropic`, values of up to 256."""

    _key = Text(max_length=LONGEST_TAG_KEY)

    def to_internal_value(self, data: object) -> dict[str, str | None]:
        if isinstance(data, Mapping):
            for key in data:
                self._check_key(key)
        checked: dict[str, str | None] = super().to_internal_value(data)
        return checked

    def _check_key(self, key: str) -> None:
        """Here, so that a key of any length is not part of the error's path."""
        if self._key.run_validation(key) != key:
            raise serializers.ValidationError("Keys should not have spaces around them")
        if key.startswith(RESERVED):
            raise serializers.ValidationError(f"Keys may not begin with {RESERVED!r}")


class DataResidencyBody(Body):
    """What is absent or null is as usual in a new workspace, and stays in one that is changed."""

    workspace_geo = Choice([WORKSPACE_GEO], required=False, allow_null=True, help_text="Never changes.")
    allowed_inference_geos = AllowedGeos(required=False, allow_null=True)
    default_inference_geo = Choice(
        GEOS,
        required=False,
        allow_null=True,
        help_text="One of `allowed_inference_geos`, if there is a list.",
    )


class WorkspaceBody(Body):
    """What new workspaces and changes have in common; `validate` makes the action's arguments of it."""

    data_residency = DataResidencyBody(required=False, allow_null=True)
    external_key_id = NotOffered()
    user_profile_id = NotOffered()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        wanted = attrs.pop("data_residency", None) or {}
        attrs.pop("external_key_id", None)
        attrs.pop("user_profile_id", None)
        residency = Residency(wanted.get("allowed_inference_geos"), wanted.get("default_inference_geo"))
        return attrs | {"residency": residency}


class WorkspaceCreate(WorkspaceBody):
    """A new workspace."""

    name = Text(max_length=200, help_text="No other live workspace has it.")
    display_color = Color(required=False, allow_null=True)
    tags = Tags(
        child=Text(max_length=LONGEST_TAG, allow_blank=True, trim_whitespace=False),
        required=False,
        allow_null=True,
        help_text="At most 50.",
    )


class WorkspaceUpdate(WorkspaceBody):
    """What changes in a workspace; what is absent stays."""

    name = Text(max_length=200, required=False, help_text="No other live workspace has it.")
    display_color = Color(required=False)
    tags = Tags(
        child=Text(max_length=LONGEST_TAG, allow_blank=True, allow_null=True, trim_whitespace=False),
        required=False,
        allow_null=True,
        help_text="Those that change; null removes one. At most 50 in all.",
    )
