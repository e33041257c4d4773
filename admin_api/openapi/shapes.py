"""What a body's form says beyond its fields: nothing else is taken, and no text is empty unless it says so."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework import serializers


class BodyShape(OpenApiSerializerExtension):
    target_class = "admin_api.serializers.base.Body"
    match_subclasses = True

    def map_serializer(self, auto_schema: AutoSchema, direction: str) -> dict[str, Any]:
        schema: dict[str, Any] = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        for name, field in self.target.fields.items():
            if isinstance(field, serializers.CharField) and not field.allow_blank:
                schema["properties"][name].setdefault("minLength", 1)
        if type(self.target).__doc__ is None:
            schema.pop("description", None)  # a form without words of its own would bear those of its parent
        return {**schema, "additionalProperties": False}
