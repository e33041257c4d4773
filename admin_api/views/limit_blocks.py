from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import pages
from admin_api.operation import cursor_page_of, operation
from admin_api.queries.limit_blocks import limit_blocks
from admin_api.serializers.limit_blocks import LimitBlockListQuery, LimitBlockSerializer
from admin_api.views.base import AdminApiView, cursor_page
from gateway.models import LimitBlock

FILTERS = ("request_id", "api_key_id", "workspace_id")


class LimitBlocksView(AdminApiView):
    """`/v1/organizations/limits/blocks`."""

    @operation(query=LimitBlockListQuery, answer=cursor_page_of(LimitBlockSerializer), refusals=())
    def get(self, request: Request) -> Response:
        """Tell why requests were refused by a limit: by request id, by key, or all of late, newest first.

        Each entry names the limit that was met, whose it is, how much of it the request needed, what was left of it
        and how long to wait. Refusals show within seconds and are kept for seven days; of a key that goes on after
        thousands of them only some. A request that was not refused by a limit gives an empty list, and so does one
        of anybody else.
        """
        asked = self.query(LimitBlockListQuery)
        wanted = {name: asked[name] for name in FILTERS if name in asked}
        found = limit_blocks(self.organization, **wanted)
        page: pages.CursorPage[LimitBlock] = pages.by_cursor(
            found, asked, organization=self.organization, of="limit_blocks", at="at"
        )
        return cursor_page(page, LimitBlockSerializer)
