from __future__ import annotations

from rest_framework import serializers


class OrganizationSerializer(serializers.Serializer):
    """`{id, type, name}`."""

    id = serializers.UUIDField(read_only=True)
    type = serializers.CharField(default="organization", read_only=True)
    name = serializers.CharField(read_only=True)
