"""Tiers, as operators see and set them."""

from __future__ import annotations

from rest_framework import serializers

from admin_api.actions.tiers import STANDARD
from admin_api.serializers.base import Body, Constant
from admin_api.serializers.limits import GroupLimitsField, GroupLimitsShown, LimitsBody
from gateway.models import Tier


class PlatformTierSerializer(serializers.Serializer):
    """A `Tier`; what has no limit is not in `limits`."""

    type = Constant("tier")
    name = serializers.CharField()
    limits = serializers.DictField(child=serializers.IntegerField())
    group_limits = GroupLimitsShown()
    reserve_worst_case = serializers.BooleanField()
    is_standard = serializers.SerializerMethodField(help_text="Such a tier cannot be removed.")

    def get_is_standard(self, tier: Tier) -> bool:
        return tier.name in STANDARD


class PlatformTierBody(Body):
    """All of a tier."""

    limits = LimitsBody()
    group_limits = GroupLimitsField()
    reserve_worst_case = serializers.BooleanField(
        default=False, help_text="Whether a request reserves all of its `max_tokens`."
    )


class PlatformTierRemovedSerializer(serializers.Serializer):
    """`{name, type}`."""

    name = serializers.CharField()
    type = Constant("tier_deleted")
