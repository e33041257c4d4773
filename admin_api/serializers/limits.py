"""Limits by name, as they are set for tiers, organizations and keys: in every group of models, or in one pool."""

from __future__ import annotations

from typing import Any, ClassVar

from rest_framework import serializers

from admin_api.limits import LARGEST
from admin_api.serializers.base import Body
from gateway.limiters import LIMIT_NAMES

MOST_POOLS = 1000
POOLS = "Limits by pool: a model group's name, default, batch or token_count. They stand in the place of `limits`."


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


class PoolLimitsBody(LimitsBody):
    """Limits of one pool: an absent one is as elsewhere, null lifts it here."""

    lifting: ClassVar = True


class GroupLimitsField(serializers.DictField):
    """`{pool: {limit: number or null}}`, whole."""

    def __init__(self, **options: Any) -> None:
        super().__init__(child=PoolLimitsBody(), **{"required": False, "help_text": POOLS} | options)

    def to_internal_value(self, data: object) -> dict[str, dict[str, int | None]]:
        if isinstance(data, dict) and len(data) > MOST_POOLS:
            raise serializers.ValidationError(f"at most {MOST_POOLS} pools can be named")
        checked: dict[str, dict[str, int | None]] = super().to_internal_value(data)
        return checked


class GroupLimitsShown(serializers.DictField):
    """As they are stored."""

    def __init__(self) -> None:
        values = serializers.DictField(child=serializers.IntegerField(allow_null=True))
        super().__init__(child=values, help_text="By pool, in the place of `limits` there; null lifts one.")
