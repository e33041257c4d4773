"""Groups of models, as operators see and set them."""

from __future__ import annotations

from rest_framework import serializers

from admin_api.catalog_checks import LONGEST_TITLE, is_title
from admin_api.serializers.base import Body, Constant, Text
from gateway.models import ModelGroup


class PlatformModelGroupSerializer(serializers.Serializer):
    """A `ModelGroup`; `models` are the names of those in it."""

    type = Constant("model_group")
    name = serializers.CharField()
    display_name = serializers.CharField()
    models = serializers.SerializerMethodField()

    def get_models(self, group: ModelGroup) -> list[str]:
        return [model.name for model in group.models.all()]


class PlatformModelGroupBody(Body):
    """What is absent stays."""

    display_name = Text(
        required=False, max_length=LONGEST_TITLE, help_text="What people are shown; at first the name."
    )

    def validate_display_name(self, value: str) -> str:
        if not is_title(value):
            raise serializers.ValidationError("Input should be printable text")
        return value


class PlatformModelGroupRemovedSerializer(serializers.Serializer):
    """`{name, type}`."""

    name = serializers.CharField()
    type = Constant("model_group_deleted")
