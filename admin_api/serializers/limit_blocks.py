"""Requests that a limit turned away, as the API shows them."""

from __future__ import annotations

from typing import get_args

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from admin_api.block_message import message_of
from admin_api.queries.rate_limits import Group, GroupType
from admin_api.serializers.base import Constant, PageQuery, Text
from gateway.metering.refusal import Holder, Kind
from gateway.models import LimitBlock

_IN_UNIT = "In the unit of `limit_type`, of money in US cents."


class BlockedGroupSerializer(serializers.Serializer):
    """Which `group` of `/v1/organizations/rate_limits` it is."""

    type = serializers.ChoiceField(get_args(GroupType))
    id = serializers.CharField()


class BlockScopeSerializer(serializers.Serializer):
    """Whose limit it was: a type, and the one id that goes with it; the organization has none."""

    type = serializers.ChoiceField(get_args(Holder))
    workspace_id = serializers.CharField(required=False)
    user_id = serializers.CharField(required=False)
    api_key_id = serializers.CharField(required=False)


class LimitBlockSerializer(serializers.Serializer):
    """A `LimitBlock`, as the query has it."""

    id = serializers.CharField()
    type = Constant("limit_block")
    request_id = serializers.CharField(help_text="As in the header `request-id` of the refusal.")
    created_at = serializers.DateTimeField(source="at")
    api_key_id = serializers.CharField()
    workspace_id = serializers.CharField(
        source="shown_workspace_id", allow_null=True, help_text="Null for the default workspace."
    )
    model = serializers.CharField(help_text="By the name that the gateway has for it, not by an alias.")
    endpoint = serializers.CharField()
    kind = serializers.ChoiceField(get_args(Kind))
    scope = BlockScopeSerializer()
    group = serializers.SerializerMethodField(help_text="What is counted together; null where money is.")
    limit_type = serializers.CharField(
        source="limiter", help_text="As in rate limits; of a spend limit its period."
    )
    limit = serializers.IntegerField(source="limit_value", help_text=_IN_UNIT)
    needed = serializers.IntegerField(help_text=f"What the request was expected to use. {_IN_UNIT}")
    remaining = serializers.IntegerField(
        help_text=f"What was left at that moment; below zero is a debt. {_IN_UNIT}"
    )
    retry_after_seconds = serializers.IntegerField(
        allow_null=True, help_text="How long to wait from then on; null where waiting could not help."
    )
    spend_limit_id = serializers.SerializerMethodField(help_text="Null where it was no spend limit.")
    message = serializers.SerializerMethodField(help_text="All of it in a sentence for people.")

    @extend_schema_field(BlockedGroupSerializer(allow_null=True))
    def get_group(self, block: LimitBlock) -> dict[str, str] | None:
        if not block.pool or block.kind != "rate_limit":
            return None
        group = Group(block.pool)
        return {"type": group.type, "id": group.id}

    def get_spend_limit_id(self, block: LimitBlock) -> str | None:
        return block.spend_limit_id or None

    def get_message(self, block: LimitBlock) -> str:
        return message_of(block, block.group_name)


class LimitBlockListQuery(PageQuery):
    request_id = Text(
        required=False, max_length=100, help_text="The `request-id` of an answer, or of its error."
    )
    api_key_id = Text(required=False, max_length=100, help_text="Only requests of this key.")
    workspace_id = Text(
        required=False,
        max_length=100,
        help_text="Only requests of this workspace; the default one by its id.",
    )
