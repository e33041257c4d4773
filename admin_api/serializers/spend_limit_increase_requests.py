"""Requests for higher spend limits, as the API shows and takes them."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from admin_api.queries.spend_limit_increase_requests import Petition, Status
from admin_api.serializers.base import Body, Choice, Constant, PageQuery, Text
from admin_api.serializers.money import Cents
from admin_api.serializers.spend_limits import (
    SpendLimitSerializer,
    SpendSummarySerializer,
    UserActorSerializer,
)
from gateway.models.spend_limits import Period

_NULLABLE_STRING = {"type": ["string", "null"]}
_RESOLVER = {
    "oneOf": [
        {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": ["user_actor"]},
                "user_id": {"type": "string"},
                "name": _NULLABLE_STRING,
                "email_address": _NULLABLE_STRING,
                "deleted": {"type": "boolean"},
            },
            "required": ["type", "user_id", "name", "email_address", "deleted"],
        },
        {
            "type": "object",
            "properties": {
                "type": {"type": "string", "enum": ["scoped_api_key_actor"]},
                "scoped_api_key_id": {"type": "string"},
            },
            "required": ["type", "scoped_api_key_id"],
        },
        {"type": "null"},
    ],
}


class IncreaseRequestSerializer(serializers.Serializer):
    """A `Petition`. `reason` is an addition of this gateway."""

    id = serializers.CharField(source="row.id")
    type = Constant("spend_limit_increase_request")
    actor = UserActorSerializer(source="row.user")
    period = serializers.ChoiceField(Period.choices, source="row.period")
    reason = serializers.SerializerMethodField()
    status = serializers.ChoiceField(Status.choices, source="row.status")
    created_at = serializers.DateTimeField(source="row.created_at")
    resolved_at = serializers.DateTimeField(source="row.resolved_at", allow_null=True)
    resolved_by = serializers.SerializerMethodField()
    spend_summary = SpendSummarySerializer(source="summary", allow_null=True)

    def get_reason(self, petition: Petition) -> str | None:
        return petition.row.reason or None

    @extend_schema_field(_RESOLVER)
    def get_resolved_by(self, petition: Petition) -> dict[str, object] | None:
        """Null where the gateway's operators decided, who are nobody of the organization."""
        id = petition.row.resolved_by_id
        match petition.row.resolved_by_type:
            case "api_key":
                return {"type": "scoped_api_key_actor", "scoped_api_key_id": id}
            case "user" if petition.resolver is not None:
                return dict(UserActorSerializer(petition.resolver).data)
            case "user":
                gone = {"name": None, "email_address": None, "deleted": True}
                return {"type": "user_actor", "user_id": id, **gone}
        return None


class IncreaseRequestApprovedSerializer(IncreaseRequestSerializer):
    """With the limit that the member has now, and what is spent of it."""

    spend_limit = SpendLimitSerializer(source="limit")


class IncreaseRequestListQuery(PageQuery):
    status = serializers.ListField(child=Choice(Status.choices), default=list, max_length=20)
    actor_ids = serializers.ListField(
        child=Text(max_length=100),
        default=list,
        max_length=100,
        help_text="Members, whoever asked on their behalf.",
    )


class IncreaseRequestCreate(Body):
    """Asks on behalf of a member, who has at most one pending request for each period."""

    user_id = Text(max_length=100)
    period = Choice(Period.choices, default=Period.MONTHLY)
    reason = Text(max_length=1000, required=False, allow_blank=True)


class IncreaseRequestDeny(Body):
    suppress_notification = serializers.BooleanField(
        default=False, help_text="True: the member gets no mail of the decision."
    )


class IncreaseRequestApprove(IncreaseRequestDeny):
    amount = Cents(help_text="US cents: the member's own limit from now on.")
    period = Choice(
        Period.choices, allow_null=True, default=None, help_text="Absent: the one that was asked for."
    )
