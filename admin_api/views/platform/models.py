from __future__ import annotations

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import models
from admin_api.catalog import RouteTo
from admin_api.catalog_checks import LONGEST_MODEL
from admin_api.operation import id_page_of, operation
from admin_api.queries import catalog
from admin_api.serializers.platform.models import (
    PlatformModelBody,
    PlatformModelRemovedSerializer,
    PlatformModelSerializer,
)
from admin_api.serializers.platform.names import NameQuery
from admin_api.views.base import PlatformView, id_page
from admin_api.views.platform.names import new_name


class ModelsView(PlatformView):
    """`/platform/v1/models`."""

    @operation(query=NameQuery, answer=id_page_of(PlatformModelSerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List the models that can be asked for, the newest first. Cursors are names."""
        rows = catalog.models()
        return id_page(
            pages.by_id(rows, self.query(NameQuery), among=rows, id="name", at="id"),
            PlatformModelSerializer,
            id="name",
        )


class ModelView(PlatformView):
    """`/platform/v1/models/{name}`."""

    @operation(answer=PlatformModelSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Get one model."""
        return self._shown(name)

    @operation(body=PlatformModelBody, answer=PlatformModelSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Make a model, or change it. It hides a model of the simulator that has its name."""
        name = new_name(name, LONGEST_MODEL)
        models.upsert(actor=self.actor, name=name, **_routed(name, self.body(PlatformModelBody)))
        return self._shown(name)

    @operation(answer=PlatformModelRemovedSerializer)
    def delete(self, request: Request, name: str) -> Response:
        """Remove a model. What was used and paid for stays in the reports."""
        models.remove(actor=self.actor, model=access.catalog_model(name))
        return Response(PlatformModelRemovedSerializer({"name": name}).data)

    def _shown(self, name: str) -> Response:
        return Response(PlatformModelSerializer(access.catalog_model(name)).data)


def _routed(name: str, asked: dict[str, Any]) -> dict[str, Any]:
    """The action's arguments: a route that names no model leads to one of the same name."""
    return asked | {"routes": [RouteTo(**{"model": name} | route) for route in asked["routes"]]}
