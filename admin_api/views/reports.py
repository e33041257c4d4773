from __future__ import annotations

import msgspec
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.request import Request

from admin_api.operation import operation, shape_of
from admin_api.queries.claude_code_report import ClaudeCodeReport, claude_code_report
from admin_api.queries.cost_report import CostReport, cost_report
from admin_api.queries.report_pages import report_page
from admin_api.queries.usage_report import UsageReport, usage_report
from admin_api.serializers.reports import ClaudeCodeReportQuery, CostReportQuery, UsageReportQuery
from admin_api.views.base import AdminApiView

# Decimals as numbers, digit by digit; amounts that are strings on the wire are strings before.
_encoder = msgspec.json.Encoder(decimal_format="number")


class UsageReportView(AdminApiView):
    """`/v1/organizations/usage_report/messages`."""

    @operation(query=UsageReportQuery, answer=shape_of(UsageReport), refusals=())
    def get(self, request: Request) -> HttpResponse:
        """Tell how many tokens were used over time, by any dimensions. Usage shows within seconds."""
        asked = self.query(UsageReportQuery)
        page = report_page(asked, organization=self.organization, of="usage_report", now=timezone.now())
        return _answer(usage_report(self.organization, page, asked))


class CostReportView(AdminApiView):
    """`/v1/organizations/cost_report`."""

    @operation(query=CostReportQuery, answer=shape_of(CostReport), refusals=())
    def get(self, request: Request) -> HttpResponse:
        """Tell what usage cost by day, in cents, to the last digit that the ledger has."""
        asked = self.query(CostReportQuery)
        page = report_page(asked, organization=self.organization, of="cost_report", now=timezone.now())
        return _answer(cost_report(self.organization, page, asked))


class ClaudeCodeReportView(AdminApiView):
    """`/v1/organizations/usage_report/claude_code`."""

    @operation(query=ClaudeCodeReportQuery, answer=shape_of(ClaudeCodeReport), refusals=())
    def get(self, request: Request) -> HttpResponse:
        """Tell who worked with Claude Code on a day. What happens in an editor (lines of code, commits, pull requests,
        edits accepted or rejected) does not pass through the gateway, and is always 0."""
        return _answer(claude_code_report(self.organization, self.query(ClaudeCodeReportQuery)))


def _answer(report: msgspec.Struct) -> HttpResponse:
    return HttpResponse(_encoder.encode(report), content_type="application/json")
