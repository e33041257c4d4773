from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import providers
from admin_api.catalog_checks import LONGEST_NAME
from admin_api.operation import id_page_of, operation
from admin_api.queries import catalog
from admin_api.serializers.platform.names import NameQuery
from admin_api.serializers.platform.providers import (
    PlatformProviderBody,
    PlatformProviderRemovedSerializer,
    PlatformProviderSerializer,
)
from admin_api.views.base import PlatformView, id_page
from admin_api.views.platform.names import new_name


class ProvidersView(PlatformView):
    """`/platform/v1/providers`."""

    @operation(query=NameQuery, answer=id_page_of(PlatformProviderSerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List the providers, the newest first. Cursors are names."""
        rows = catalog.providers()
        return id_page(
            pages.by_id(rows, self.query(NameQuery), among=rows, id="name", at="id"),
            PlatformProviderSerializer,
            id="name",
        )


class ProviderView(PlatformView):
    """`/platform/v1/providers/{name}`."""

    @operation(answer=PlatformProviderSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Get one provider."""
        return self._shown(name)

    @operation(body=PlatformProviderBody, answer=PlatformProviderSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Make a provider, or change it. Secrets are stored encrypted and never shown again."""
        name = new_name(name, LONGEST_NAME)
        providers.upsert(actor=self.actor, name=name, **self.body(PlatformProviderBody))
        return self._shown(name)

    @operation(answer=PlatformProviderRemovedSerializer)
    def delete(self, request: Request, name: str) -> Response:
        """Remove a provider, with the routes that lead to it. It stays while it is a model's only one."""
        providers.remove(actor=self.actor, provider=access.provider(name))
        return Response(PlatformProviderRemovedSerializer({"name": name}).data)

    def _shown(self, name: str) -> Response:
        return Response(PlatformProviderSerializer(access.provider(name)).data)
