"""Invites, as the API shows and takes them."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from admin_api.queries.invites import LISTED
from admin_api.serializers.base import Body, Choice, Constant, IdQuery, Text
from admin_api.serializers.granted_role import GrantedRole
from gateway.models import Invite, Membership


class InviteSerializer(serializers.Serializer):
    """An `Invite` as the SDK's; there are no groups here."""

    id = serializers.CharField()
    type = Constant("invite")
    email = serializers.EmailField()
    role = serializers.ChoiceField(Membership.Role.choices)
    status = serializers.ChoiceField([*LISTED, "deleted"])
    invited_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField()
    accepted_at = serializers.DateTimeField(allow_null=True)
    rbac_group_ids = serializers.ListField(child=serializers.CharField(), read_only=True, default=list)


class InviteCreatedSerializer(InviteSerializer):
    """With the link as `url` where the gateway sends no mail; the context has it, or None."""

    url = serializers.CharField(
        required=False, help_text="The link to accept, only where the gateway sends no mail and only here."
    )

    def to_representation(self, instance: Invite) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(instance)
        return shown | {"url": self.context["url"]} if self.context["url"] else shown


class InviteDeletedSerializer(serializers.Serializer):
    """`{id, type}`."""

    id = serializers.CharField()
    type = Constant("invite_deleted")


class InviteListQuery(IdQuery):
    email = Text(required=False, max_length=254, help_text="The whole address; case does not count.")
    roles = serializers.ListField(child=Choice(Membership.Role.values), default=list, max_length=20)
    statuses = serializers.ListField(
        child=Choice(LISTED), default=list, max_length=20, help_text="None is all of them."
    )


class InviteCreate(Body):
    email = Text(max_length=254)
    role = GrantedRole()
    rbac_group_ids = serializers.ListField(
        child=Text(), required=False, help_text="Groups are not offered by this gateway: only empty."
    )

    def validate_rbac_group_ids(self, ids: list[str]) -> list[str]:
        if ids:
            raise serializers.ValidationError("groups are not offered by this gateway")
        return ids

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        attrs.pop("rbac_group_ids", None)
        return attrs
