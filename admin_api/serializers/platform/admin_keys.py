"""Admin keys of any organization, as operators see and make them."""

from __future__ import annotations

from rest_framework import serializers

from admin_api.serializers.api_keys import STATUSES
from admin_api.serializers.base import Body, Constant, Text


class AdminKeySerializer(serializers.Serializer):
    """An `ApiKey` of kind `admin`, never its secret."""

    id = serializers.CharField()
    type = Constant("admin_key")
    name = serializers.CharField()
    partial_key_hint = serializers.CharField(source="hint")
    status = serializers.ChoiceField(STATUSES, source="current_status")
    created_at = serializers.DateTimeField()
    expires_at = serializers.DateTimeField(allow_null=True)


class AdminKeyMadeSerializer(AdminKeySerializer):
    """With the secret, which is told once."""

    key = serializers.CharField()


class AdminKeyCreate(Body):
    name = Text(max_length=500)
