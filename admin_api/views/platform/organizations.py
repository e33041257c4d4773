from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import organizations
from admin_api.operation import id_page_of, operation
from admin_api.queries import organizations as queries
from admin_api.serializers.base import EmptyBody
from admin_api.serializers.platform.organizations import (
    PlatformOrganizationCreate,
    PlatformOrganizationListQuery,
    PlatformOrganizationMadeSerializer,
    PlatformOrganizationSerializer,
    PlatformOrganizationUpdate,
)
from admin_api.views.base import PlatformView, id_page
from gateway.errors import InvalidRequest, NotFound
from gateway.models import Organization, Tier


class OrganizationsView(PlatformView):
    """`/platform/v1/organizations`."""

    @operation(
        query=PlatformOrganizationListQuery,
        answer=id_page_of(PlatformOrganizationSerializer),
        refusals=(),
    )
    def get(self, request: Request) -> Response:
        """List all organizations, the newest first."""
        asked = _with_tier(self.query(PlatformOrganizationListQuery))
        rows = queries.organizations(
            name=asked.get("name"), tier=asked.get("tier"), suspended=asked.get("suspended")
        )
        return id_page(
            pages.by_id(rows, asked, among=Organization.objects.all()), PlatformOrganizationSerializer
        )

    @operation(body=PlatformOrganizationCreate, answer=PlatformOrganizationMadeSerializer, refusals=())
    def post(self, request: Request) -> Response:
        """Make an organization, and invite its first admin. Their link is shown once."""
        asked = _with_tier(self.body(PlatformOrganizationCreate))
        made, link = organizations.set_up(actor=self.actor, **asked)
        return Response(PlatformOrganizationSerializer(made).data | {"invite_url": link})


class OrganizationView(PlatformView):
    """`/platform/v1/organizations/{organization_id}`."""

    @operation(answer=PlatformOrganizationSerializer)
    def get(self, request: Request, organization_id: str) -> Response:
        """Get one organization."""
        return _shown(access.any_organization(organization_id))

    @operation(body=PlatformOrganizationUpdate, answer=PlatformOrganizationSerializer)
    def post(self, request: Request, organization_id: str) -> Response:
        """Change an organization; what is not given stays."""
        organization = access.any_organization(organization_id)
        asked = _with_tier(self.body(PlatformOrganizationUpdate))
        return _shown(organizations.update(actor=self.actor, organization=organization, **asked))


class OrganizationSuspendView(PlatformView):
    """`/platform/v1/organizations/{organization_id}/suspend`."""

    @operation(body=EmptyBody, answer=PlatformOrganizationSerializer)
    def post(self, request: Request, organization_id: str) -> Response:
        """Suspend an organization. All its keys are refused until it is resumed, and nothing of it is lost."""
        self.body(EmptyBody)
        organization = access.any_organization(organization_id)
        return _shown(organizations.suspend(actor=self.actor, organization=organization))


class OrganizationResumeView(PlatformView):
    """`/platform/v1/organizations/{organization_id}/resume`."""

    @operation(body=EmptyBody, answer=PlatformOrganizationSerializer)
    def post(self, request: Request, organization_id: str) -> Response:
        """Resume an organization that was suspended. Everything works as it did before."""
        self.body(EmptyBody)
        organization = access.any_organization(organization_id)
        return _shown(organizations.resume(actor=self.actor, organization=organization))


def _shown(organization: Organization) -> Response:
    return Response(PlatformOrganizationSerializer(organization).data)


def _with_tier(asked: dict[str, Any]) -> dict[str, Any]:
    """`tier` as a row. Raises `InvalidRequest` for a name that no tier has."""
    if "tier" not in asked:
        return asked
    try:
        return asked | {"tier": access.tier(asked["tier"])}
    except NotFound:
        known = ", ".join(Tier.objects.order_by("name").values_list("name", flat=True)[:20])
        raise InvalidRequest(f"tier: there is no tier {asked['tier']!r}; expected one of {known}") from None
