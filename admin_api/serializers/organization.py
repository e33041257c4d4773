from __future__ import annotations

from rest_framework import serializers

from admin_api.serializers.base import Constant


class OrganizationSerializer(serializers.Serializer):
    """`{id, type, name}`."""

    id = serializers.UUIDField(read_only=True)
    type = Constant("organization")
    name = serializers.CharField(read_only=True)
