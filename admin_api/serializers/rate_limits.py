"""Rate limits of organizations and workspaces, as the API shows and takes them."""

from __future__ import annotations

from typing import Any, get_args

from rest_framework import serializers

from admin_api.limits import LARGEST
from admin_api.queries.rate_limits import Group, GroupType
from admin_api.serializers.base import LARGEST_PAGE, Body, Choice, Constant, Query, Text
from gateway.limiters import LIMIT_NAMES

RATE_LIMIT_ID = "The `id` of one of `/v1/organizations/rate_limits`."
SOURCES = ("workspace", "organization")


class RateLimitGroupSerializer(serializers.Serializer):
    """What is counted together."""

    id = serializers.CharField(help_text="The same in every organization.")
    type = serializers.ChoiceField(get_args(GroupType))
    display_name = serializers.CharField(required=False, help_text="Of groups of models only.")

    def to_representation(self, group: Group) -> dict[str, Any]:
        shown: dict[str, Any] = super().to_representation(group)
        return {name: value for name, value in shown.items() if value is not None}


class LimitSerializer(serializers.Serializer):
    type = serializers.CharField()
    value = serializers.IntegerField()


class Models(serializers.ListField):
    """Names and aliases."""

    def __init__(self) -> None:
        super().__init__(
            child=serializers.CharField(), allow_null=True, help_text="Null for what is no group of models."
        )


class RateLimitSerializer(serializers.Serializer):
    """A `RateLimit`."""

    id = serializers.CharField(help_text="What workspaces' limits are changed by, as `rate_limit_id`.")
    type = Constant("rate_limit")
    group = RateLimitGroupSerializer()
    limits = LimitSerializer(many=True)
    models = Models()


class LimitSourceSerializer(serializers.Serializer):
    type = serializers.ChoiceField(SOURCES, source="*")


class WorkspaceLimitSerializer(LimitSerializer):
    org_limit = serializers.IntegerField(allow_null=True)
    source = LimitSourceSerializer()


class WorkspaceRateLimitSerializer(serializers.Serializer):
    """A `WorkspaceRateLimit`."""

    type = Constant("workspace_rate_limit")
    rate_limit_id = serializers.CharField(help_text=RATE_LIMIT_ID)
    workspace_id = serializers.CharField()
    group = RateLimitGroupSerializer()
    limits = WorkspaceLimitSerializer(many=True)
    models = Models()


class GroupQuery(Query):
    """Of short lists: without a limit they come whole."""

    group_type = Choice(get_args(GroupType), required=False)
    limit = serializers.IntegerField(
        min_value=1, max_value=LARGEST_PAGE, required=False, help_text="Absent: all that is left."
    )
    page = Text(required=False, max_length=1000, help_text="`next_page` of the answer before.")


class RateLimitListQuery(GroupQuery):
    model = Text(required=False, max_length=200, help_text="A name or alias; 404 where there is no such one.")


class WorkspaceRateLimitListQuery(GroupQuery):
    include_inherited = serializers.BooleanField(
        default=False, help_text="Also what comes from the organization."
    )


class LimitType(serializers.ChoiceField):
    """A limiter that this gateway has; Anthropic's API knows further ones."""

    def __init__(self, **options: Any) -> None:
        supported = f"{{input!r}} is no limit of this gateway; expected one of {', '.join(LIMIT_NAMES)}"
        super().__init__(LIMIT_NAMES, **{"error_messages": {"invalid_choice": supported}} | options)


class WholeNumber(serializers.IntegerField):
    """A JSON number without a fraction, and nothing that could be made one."""

    def to_internal_value(self, data: object) -> int:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("invalid")
        return int(super().to_internal_value(data))


class LimitBody(Body):
    type = LimitType()
    value = WholeNumber(
        min_value=1, max_value=LARGEST, allow_null=True, help_text="Null takes the workspace's own away."
    )


class WorkspaceRateLimitUpdate(Body):
    """What changes; types that are not named stay as they are."""

    limits = LimitBody(many=True, allow_empty=False, max_length=len(LIMIT_NAMES))

    def validate_limits(self, limits: list[dict[str, Any]]) -> dict[str, int | None]:
        """By type, as the action takes them."""
        by_type: dict[str, int | None] = {}
        for limit in limits:
            if limit["type"] in by_type:
                raise serializers.ValidationError(f"{limit['type']} is given twice")
            by_type[limit["type"]] = limit["value"]
        return by_type
