"""Who calls the Admin API, or the platform API; DRF knows it as `request.auth`."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from admin_api.actor import Actor
from gateway.errors import AuthenticationFailed
from gateway.models import Organization

if TYPE_CHECKING:
    from rest_framework.views import APIView  # which itself imports this module, through its settings

MISSING = "x-api-key header is required"


@dataclasses.dataclass(frozen=True)
class Caller:
    """An Admin key, or an admin who is signed in: may administer the organization and nothing else."""

    organization: Organization
    actor: Actor


@dataclasses.dataclass(frozen=True)
class Operator:
    """An operator key: may administer every organization and the whole catalog, and works in none of them."""

    actor: Actor


class IsCaller(BasePermission):
    """Nobody gets anything of the Admin API without a credential; there is no public part."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, Caller):
            raise AuthenticationFailed(MISSING)
        return True


class IsOperator(BasePermission):
    """Of the platform API: an admin of an organization is nobody here."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        if not isinstance(request.auth, Operator):
            raise AuthenticationFailed(MISSING)
        return True
