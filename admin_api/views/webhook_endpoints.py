from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import webhook_endpoints as actions
from admin_api.operation import id_page_of, operation
from admin_api.queries.webhook_endpoints import webhook_endpoints
from admin_api.serializers.base import EmptyBody
from admin_api.serializers.webhook_endpoints import (
    WebhookEndpointCreate,
    WebhookEndpointListQuery,
    WebhookEndpointMadeSerializer,
    WebhookEndpointRemovedSerializer,
    WebhookEndpointSerializer,
    WebhookEndpointUpdate,
    WebhookSigningSecretSerializer,
)
from admin_api.views.base import AdminApiView, id_page


class WebhookEndpointsView(AdminApiView):
    """`/v1/organizations/webhooks`."""

    @operation(query=WebhookEndpointListQuery, answer=id_page_of(WebhookEndpointSerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List the webhook endpoints of the organization, the newest first."""
        rows = webhook_endpoints(self.organization)
        return id_page(
            pages.by_id(rows, self.query(WebhookEndpointListQuery), among=rows), WebhookEndpointSerializer
        )

    @operation(body=WebhookEndpointCreate, answer=WebhookEndpointMadeSerializer, refusals=())
    def post(self, request: Request) -> Response:
        """Make a webhook endpoint. Its signing secret is shown once.

        Each event is posted there and signed as standardwebhooks.com tells: `client.beta.webhooks.unwrap(body,
        headers=headers, key=signing_secret)` of the SDK checks that. What is not answered with a 2xx within ten
        seconds is sent again for three days, under the same `webhook-id`.
        """
        made, secret = actions.create(
            actor=self.actor, organization=self.organization, **self.body(WebhookEndpointCreate)
        )
        return Response(WebhookEndpointSerializer(made).data | {"signing_secret": secret})


class WebhookEndpointView(AdminApiView):
    """`/v1/organizations/webhooks/{webhook_endpoint_id}`."""

    @operation(answer=WebhookEndpointSerializer)
    def get(self, request: Request, webhook_endpoint_id: str) -> Response:
        """Get one webhook endpoint."""
        found = access.webhook_endpoint(self.organization, webhook_endpoint_id)
        return Response(WebhookEndpointSerializer(found).data)

    @operation(body=WebhookEndpointUpdate, answer=WebhookEndpointSerializer)
    def post(self, request: Request, webhook_endpoint_id: str) -> Response:
        """Change a webhook endpoint, disable it or enable it again."""
        found = access.webhook_endpoint(self.organization, webhook_endpoint_id)
        asked = self.body(WebhookEndpointUpdate)
        changed = actions.update(actor=self.actor, endpoint=found, **asked)
        return Response(WebhookEndpointSerializer(changed).data)

    @operation(answer=WebhookEndpointRemovedSerializer)
    def delete(self, request: Request, webhook_endpoint_id: str) -> Response:
        """Remove a webhook endpoint, and what waits to be sent there."""
        found = access.webhook_endpoint(self.organization, webhook_endpoint_id)
        actions.remove(actor=self.actor, endpoint=found)
        return Response(WebhookEndpointRemovedSerializer({"id": webhook_endpoint_id}).data)


class WebhookSigningSecretView(AdminApiView):
    """`/v1/organizations/webhooks/{webhook_endpoint_id}/regenerate_signing_secret`."""

    @operation(body=EmptyBody, answer=WebhookSigningSecretSerializer)
    def post(self, request: Request, webhook_endpoint_id: str) -> Response:
        """Replace the signing secret of a webhook endpoint, at once. The new one is shown once."""
        self.body(EmptyBody)
        found = access.webhook_endpoint(self.organization, webhook_endpoint_id)
        secret = actions.regenerate_secret(actor=self.actor, endpoint=found)
        return Response(WebhookSigningSecretSerializer({"signing_secret": secret}).data)
