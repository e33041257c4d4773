from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from admin_api import access, pages
from admin_api.actions import model_groups
from admin_api.catalog_checks import LONGEST_NAME
from admin_api.operation import id_page_of, operation
from admin_api.queries import catalog
from admin_api.serializers.platform.model_groups import (
    PlatformModelGroupBody,
    PlatformModelGroupRemovedSerializer,
    PlatformModelGroupSerializer,
)
from admin_api.serializers.platform.names import NameQuery
from admin_api.views.base import PlatformView, id_page
from admin_api.views.platform.names import new_name


class ModelGroupsView(PlatformView):
    """`/platform/v1/model_groups`."""

    @operation(query=NameQuery, answer=id_page_of(PlatformModelGroupSerializer), refusals=())
    def get(self, request: Request) -> Response:
        """List the groups of models, the newest first. Cursors are names."""
        rows = catalog.model_groups()
        return id_page(
            pages.by_id(rows, self.query(NameQuery), among=rows, id="name", at="id"),
            PlatformModelGroupSerializer,
            id="name",
        )


class ModelGroupView(PlatformView):
    """`/platform/v1/model_groups/{name}`."""

    @operation(answer=PlatformModelGroupSerializer)
    def get(self, request: Request, name: str) -> Response:
        """Get one group of models."""
        return self._shown(name)

    @operation(body=PlatformModelGroupBody, answer=PlatformModelGroupSerializer)
    def post(self, request: Request, name: str) -> Response:
        """Make a group of models, or change what it is shown as. Models are put into it at the models.

        Its name is what limits for it are set by. `default`, `batch` and `token_count` are always there and cannot be
        made.
        """
        name = new_name(name, LONGEST_NAME)
        model_groups.upsert(actor=self.actor, name=name, **self.body(PlatformModelGroupBody))
        return self._shown(name)

    @operation(answer=PlatformModelGroupRemovedSerializer)
    def delete(self, request: Request, name: str) -> Response:
        """Remove a group that no model is in, and that no tier or organization has limits for.

        What workspaces and keys have set for it goes along.
        """
        model_groups.remove(actor=self.actor, group=access.model_group(name))
        return Response(PlatformModelGroupRemovedSerializer({"name": name}).data)

    def _shown(self, name: str) -> Response:
        return Response(PlatformModelGroupSerializer(access.model_group(name)).data)
