"""What the reports take. What they answer are structs beside their queries: pages may have ten thousands of rows."""

from __future__ import annotations

import datetime
from typing import Any

from rest_framework import serializers

from admin_api.queries.dimensions import GROUPS
from admin_api.queries.usage_report import CONTEXT_WINDOWS, INFERENCE_GEOS, SERVICE_TIERS
from admin_api.serializers.base import LARGEST_PAGE, USUAL_PAGE, Choice, Query, Text
from gateway.metering.reports import Width

# How many buckets a page has when nobody says, and at most.
LIMITS = {Width.MINUTE: (60, 1440), Width.HOUR: (24, 168), Width.DAY: (7, 31)}
MOST_FILTERS = 500


def _any_of(child: serializers.Field) -> serializers.ListField:
    return serializers.ListField(child=child, default=list, max_length=MOST_FILTERS)


def _ids() -> serializers.ListField:
    return _any_of(Text(max_length=200))


class ReportQuery(Query):
    """A span of time in buckets; both ends are widened to whole buckets."""

    starting_at = serializers.DateTimeField(
        default_timezone=datetime.UTC,
        help_text="RFC 3339. The first bucket is the one that holds this time; before 2020 it is 2020.",
    )
    ending_at = serializers.DateTimeField(
        required=False,
        default_timezone=datetime.UTC,
        help_text="RFC 3339. Buckets that begin at this time or later are left out. Now, unless given.",
    )
    bucket_width = Choice([width.value for width in Width], default=Width.DAY.value)
    limit = serializers.IntegerField(
        required=False,
        min_value=1,
        help_text="Buckets of a page. 1m: 60, at most 1440; 1h: 24, at most 168; 1d: 7, at most 31.",
    )
    page = Text(required=False, max_length=1000, help_text="`next_page` of the answer before.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        usual, most = LIMITS[Width(attrs["bucket_width"])]
        limit = attrs.setdefault("limit", usual)
        if limit > most:
            raise serializers.ValidationError(
                {"limit": [f"Input should be less than or equal to {most} for this bucket_width"]}
            )
        if "ending_at" in attrs and attrs["ending_at"] <= attrs["starting_at"]:
            raise serializers.ValidationError({"ending_at": ["Input should be later than starting_at"]})
        return attrs


class UsageReportQuery(ReportQuery):
    group_by = _any_of(Choice(list(GROUPS)))
    api_key_ids = _ids()
    workspace_ids = _ids()
    models = _ids()
    service_tiers = _any_of(Choice(SERVICE_TIERS))
    context_window = _any_of(Choice(CONTEXT_WINDOWS))
    inference_geos = _any_of(Choice(INFERENCE_GEOS))
    account_ids = _ids()
    service_account_ids = _ids()
    speeds = serializers.ListField(child=Text(), default=list, help_text="Refused: not tracked.")

    def validate_speeds(self, value: list[str]) -> list[str]:
        if value:
            raise serializers.ValidationError("The gateway does not track speed")
        return value


class CostReportQuery(ReportQuery):
    limit = serializers.IntegerField(required=False, min_value=1, help_text="Days of a page: 7, at most 31.")
    bucket_width = Choice([Width.DAY.value], default=Width.DAY.value)
    group_by = _any_of(Choice(["workspace_id", "description"]))


class ClaudeCodeReportQuery(Query):
    starting_at = serializers.DateField(
        input_formats=["%Y-%m-%d"], help_text="YYYY-MM-DD. The report is of this one day, in UTC."
    )
    limit = serializers.IntegerField(min_value=1, max_value=LARGEST_PAGE, default=USUAL_PAGE)
    page = Text(required=False, max_length=1000, help_text="`next_page` of the answer before.")
