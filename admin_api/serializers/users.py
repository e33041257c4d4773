"""Members of an organization, as the API shows and takes them."""

from __future__ import annotations

from rest_framework import serializers

from admin_api.serializers.base import Body, Choice, Constant, IdQuery, Text
from admin_api.serializers.granted_role import GrantedRole
from gateway.models import Membership


class UserSerializer(serializers.Serializer):
    """A `Membership` as `{id, type, email, name, role, added_at}`."""

    id = serializers.CharField(source="user_id")
    type = Constant("user")
    email = serializers.EmailField(source="user.email")
    name = serializers.CharField(source="user.name")
    role = serializers.ChoiceField(Membership.Role.choices)
    added_at = serializers.DateTimeField()


class UserRemovedSerializer(serializers.Serializer):
    """`{id, type}`."""

    id = serializers.CharField()
    type = Constant("user_deleted")


class UserListQuery(IdQuery):
    email = Text(required=False, max_length=254, help_text="The whole address; case does not count.")
    roles = serializers.ListField(child=Choice(Membership.Role.values), default=list, max_length=20)


class UserUpdate(Body):
    role = GrantedRole()
