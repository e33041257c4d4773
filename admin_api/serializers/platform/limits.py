"""Limits by name, as operators set them for tiers and organizations."""

from __future__ import annotations

from rest_framework import serializers

from admin_api.limits import LARGEST
from admin_api.serializers.base import Body


class Limit(serializers.IntegerField):
    """Of a minute, or at once."""

    def __init__(self, *, allow_null: bool = False) -> None:
        super().__init__(required=False, allow_null=allow_null, min_value=1, max_value=LARGEST)


class LimitsBody(Body):
    """All limits of a tier: one that is absent does not exist."""

    requests_per_minute = Limit()
    tokens_per_minute = Limit()
    input_tokens_per_minute = Limit()
    output_tokens_per_minute = Limit()
    concurrent_requests = Limit()


class OwnLimitsBody(Body):
    """All limits that an organization has of its own: an absent one is the tier's, null lifts the tier's."""

    requests_per_minute = Limit(allow_null=True)
    tokens_per_minute = Limit(allow_null=True)
    input_tokens_per_minute = Limit(allow_null=True)
    output_tokens_per_minute = Limit(allow_null=True)
    concurrent_requests = Limit(allow_null=True)
