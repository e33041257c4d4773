from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import tiers
from admin_api.catalog_checks import LONGEST_NAME
from admin_api.operation import id_page_of, operation
from admin_api.serializers.platform.names import NameQuery
from admin_api.serializers.platform.tiers import (
    PlatformTierBody,
    PlatformTierRemovedSerializer,
    PlatformTierSerializer,
)
from admin_api.views.base import PlatformView, id_page
from admin_api.views.platform.names import new_name
from gateway.models import Tier


class TiersView(PlatformView):
    """`/platform/v1/tiers`."""

    @operation(query=NameQuery, answer=id_page_of(PlatformTierSerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List the tiers, the newest first. Cursors are names."""
        rows = Tier.objects.all()
        return id_page(
            pages.by_id(rows, self.query(NameQuery), among=rows, id="name", at="id"),
            PlatformTierSerializer,
            id="name",
        )


class TierView(PlatformView):
    """`/platform/v1/tiers/{name}`."""

    @operation(answer=PlatformTierSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Get one tier."""
        return Response(PlatformTierSerializer(access.tier(name)).data)

    @operation(body=PlatformTierBody, answer=PlatformTierSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Make a tier, or set all of it. It counts at once for every organization on it."""
        outcome = tiers.upsert(
            actor=self.actor, name=new_name(name, LONGEST_NAME), **self.body(PlatformTierBody)
        )
        return Response(PlatformTierSerializer(outcome.row).data)

    @operation(answer=PlatformTierRemovedSerializer)
    def delete(self, request: Request, name: str) -> Response:
        """Remove a tier that no organization is on. The standard tiers stay."""
        tiers.remove(actor=self.actor, tier=access.tier(name))
        return Response(PlatformTierRemovedSerializer({"name": name}).data)
