"""Service accounts and their roles in workspaces, as the API shows and takes them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rest_framework import serializers

from admin_api.roles import GRANTABLE_IN_WORKSPACE
from admin_api.serializers.base import Body, Choice, Constant, PageQuery, Text
from gateway.models import ServiceAccount, ServiceAccountWorkspace, WorkspaceMember

LONGEST_DESCRIPTION = 1000
NAME_STAYS = "A service account keeps the name it was made with; make another one for another name"


class ServiceAccountSerializer(serializers.Serializer):
    """A `ServiceAccount` as the SDK's."""

    id = serializers.CharField()
    type = Constant("service_account")
    name = serializers.CharField()
    description = serializers.CharField()
    organization_role = serializers.ChoiceField(ServiceAccount.Role.values)
    created_at = serializers.DateTimeField()
    created_by_actor_id = serializers.CharField(allow_null=True)
    updated_at = serializers.DateTimeField()
    updated_by_actor_id = serializers.CharField(allow_null=True)
    archived_at = serializers.DateTimeField(allow_null=True)
    archived_by_actor_id = serializers.CharField(allow_null=True)


class ServiceAccountWorkspaceSerializer(serializers.Serializer):
    """A `ServiceAccountWorkspace` as the SDK's; what has no row is implicit."""

    type = Constant("service_account_workspace_member")
    service_account_id = serializers.CharField()
    workspace_id = serializers.CharField()
    workspace_role = serializers.ChoiceField(WorkspaceMember.Role.values, source="role")
    implicit = serializers.SerializerMethodField()
    created_by_actor_id = serializers.CharField(allow_null=True)

    def get_implicit(self, place: ServiceAccountWorkspace) -> bool:
        return place.pk is None


class ServiceAccountWorkspaceRemovedSerializer(serializers.Serializer):
    """`{type, service_account_id, workspace_id}`."""

    type = Constant("service_account_workspace_member_deleted")
    service_account_id = serializers.CharField()
    workspace_id = serializers.CharField()


class ServiceAccountListQuery(PageQuery):
    include_archived = serializers.BooleanField(default=False)


class Description(Text):
    def __init__(self, **options: Any) -> None:
        usual = {
            "required": False,
            "allow_null": True,
            "allow_blank": True,
            "max_length": LONGEST_DESCRIPTION,
        }
        super().__init__(**usual | options)


class ServiceAccountCreate(Body):
    name = Text(max_length=64, help_text="Lowercase letters, digits and hyphens; no other live one has it.")
    description = Description()
    organization_role = Choice(ServiceAccount.Role.values, default=ServiceAccount.Role.DEVELOPER)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        return attrs | {"description": attrs.get("description") or ""}


class ServiceAccountUpdate(Body):
    """What changes; a null description clears it, a null role stays."""

    description = Description()
    organization_role = Choice(ServiceAccount.Role.values, required=False, allow_null=True)

    def to_internal_value(self, data: Mapping[str, Any]) -> dict[str, Any]:
        if "name" in data:
            raise serializers.ValidationError({"name": [NAME_STAYS]})
        return super().to_internal_value(data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("organization_role", "") is None:
            del attrs["organization_role"]
        return attrs | ({"description": attrs["description"] or ""} if "description" in attrs else {})


class PlaceRole(Body):
    """What a service account may be in a workspace; billing is for people."""

    workspace_role = Choice(GRANTABLE_IN_WORKSPACE)


class PlaceInWorkspace(PlaceRole):
    workspace_id = Text(max_length=100)


class PlaceOfServiceAccount(PlaceRole):
    service_account_id = Text(max_length=100)
