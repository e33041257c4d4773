"""What the endpoints of message batches have in common: who asks, from which workspace, and the store."""

from __future__ import annotations

import msgspec

from gateway.batches.store import BatchStore
from gateway.consumers import headers as request_headers
from gateway.consumers.authentication import authenticate, workspace_of
from gateway.consumers.base import GatewayConsumer
from gateway.consumers.own_address import own_address
from gateway.directory.store import StoreUnavailable
from gateway.engine.plane import Plane
from gateway.errors import GatewayError, Unavailable
from gateway.principal import Principal, Workspace


class Caller(msgspec.Struct, frozen=True):
    """Batches are seen by every key of their workspace, and by no other."""

    principal: Principal
    workspace: Workspace
    version: bytes


class BatchEndpoint(GatewayConsumer):
    """`store` belongs to the process."""

    def __init__(self, *, plane: Plane, store: BatchStore) -> None:
        super().__init__(plane=plane)
        self.store = store

    async def caller(self) -> Caller:
        """Raises `GatewayError`."""
        version = request_headers.version_of(self.headers)
        principal = await authenticate(self.headers, self.address, self.plane.directory, self.plane.limiter)
        self.organization_id = str(principal.organization_id)
        return Caller(principal, workspace_of(principal, self.headers), version)

    @property
    def own_address(self) -> str:
        """What the URLs of an answer begin with."""
        return own_address(self.headers, self.plane.configuration)


def unavailable(problem: StoreUnavailable) -> GatewayError:
    """What a caller is told while Postgres is away."""
    return Unavailable("Message batches are not available at the moment. Please try again.")
