"""Limits by name, as operators set them for tiers and organizations."""

from __future__ import annotations

from typing import ClassVar

from rest_framework import serializers

from admin_api.limits import LARGEST
from admin_api.serializers.base import Body
from gateway.limiters import LIMIT_NAMES


class Limit(serializers.IntegerField):
    """Of a second, a minute, a day, or at once."""

    def __init__(self, *, allow_null: bool = False) -> None:
        super().__init__(required=False, allow_null=allow_null, min_value=1, max_value=LARGEST)


class LimitsBody(Body):
    """All limits of a tier, in each group of models: one that is absent does not exist."""

    lifting: ClassVar = False

    def get_fields(self) -> dict[str, serializers.Field]:
        return {name: Limit(allow_null=self.lifting) for name in LIMIT_NAMES}


class OwnLimitsBody(LimitsBody):
    """All limits that an organization has of its own: an absent one is the tier's, null lifts the tier's."""

    lifting: ClassVar = True
