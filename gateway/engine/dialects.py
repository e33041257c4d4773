"""How each dialect is spoken: from a call and a target to a provider's reply."""

from __future__ import annotations

import functools
from typing import Protocol

from gateway.directory.catalog import Target
from gateway.engine.call import Call
from gateway.errors import InternalError
from gateway.simulator.provider import SimulatedReply, answer
from gateway.upstreams.client import UpstreamClient
from gateway.upstreams.transport import Destination


class Reply(Protocol):
    """What every dialect brings back; the reading methods raise `UpstreamFailure`."""

    status: int
    headers: list[tuple[bytes, bytes]]

    async def read(self, seconds: float) -> bytes: ...
    async def read_all(self, limit: int, seconds: float) -> bytes: ...
    async def aclose(self) -> None: ...


class SimulatorReply:
    """The simulator's answer under the same reading interface."""

    def __init__(self, simulated: SimulatedReply) -> None:
        self.status = simulated.status
        self.headers = simulated.headers
        self._simulated = simulated
        self._chunks = aiter(simulated.chunks)

    async def read(self, seconds: float) -> bytes:
        return await anext(self._chunks, b"")

    async def read_all(self, limit: int, seconds: float) -> bytes:
        return b"".join([chunk async for chunk in self._chunks])

    async def aclose(self) -> None:
        await self._simulated.aclose()


class Dialects:
    """Opens replies. `simulator_delay` is seconds between two simulated events."""

    def __init__(self, client: UpstreamClient, *, simulator_delay: float) -> None:
        self._client = client
        self._simulator_delay = simulator_delay

    async def send(self, call: Call, target: Target) -> Reply:
        """The reply's head. Raises `UpstreamFailure`, or a `GatewayError` for what no provider is asked."""
        body = call.body.with_string("model", target.upstream_model)
        if target.dialect == "anthropic":
            destination = anthropic_destination(
                target.base_url + "/v1/" + call.endpoint,
                call.query,
                call.relayed,
                target.api_key,
                target.timeouts.connect,
            )
            return await self._client.post(
                destination, body, first_byte=target.timeouts.first_byte_of(stream=call.stream)
            )
        if target.dialect == "simulator":
            simulated = await answer(
                body, version=call.version, delay=self._simulator_delay, request_id=call.request_id
            )
            return SimulatorReply(simulated)
        raise InternalError(
            f"The model {call.model.name} is served in a dialect that this gateway does not speak yet."
        )


@functools.lru_cache(maxsize=1024)
def anthropic_destination(
    url: str, query: bytes, relayed: tuple[tuple[bytes, bytes], ...], api_key: str, connect: float
) -> Destination:
    """The provider's address with the caller's query and `anthropic-*` headers, and the provider's credential
    instead of the tenant's. Cached, since one client sends the same with every request."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in relayed]
    headers += [
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("user-agent", "anthropic-gateway"),
    ]
    if api_key:
        headers.append(("x-api-key", api_key))
    return Destination(url + (f"?{query.decode('latin-1')}" if query else ""), headers, connect=connect)
