"""How each dialect is sent: from a passage and a target to a provider's reply."""

from __future__ import annotations

import functools
from typing import Protocol

from gateway.directory.catalog import Target
from gateway.engine.call import Call
from gateway.engine.passages.passage import Passage
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

    async def send(self, call: Call, target: Target, passage: Passage, *, first_byte: float) -> Reply:
        """The reply's head, within `first_byte` seconds. Raises `UpstreamFailure`."""
        if target.dialect == "simulator":
            simulated = await answer(
                passage.body, version=call.version, delay=self._simulator_delay, request_id=call.request_id
            )
            return SimulatorReply(simulated)
        if target.dialect == "anthropic":
            destination = anthropic_destination(target, passage.endpoint, call.query, call.relayed)
        else:
            destination = openai_destination(target, passage.endpoint)
        return await self._client.post(destination, passage.body, first_byte=first_byte)


@functools.lru_cache(maxsize=1024)
def anthropic_destination(
    target: Target, endpoint: str, query: bytes, relayed: tuple[tuple[bytes, bytes], ...]
) -> Destination:
    """The provider's address with the caller's query and `anthropic-*` headers, and the provider's credential
    instead of the tenant's. Cached, since one client sends the same with every request."""
    url = f"{target.base_url}/v1/{endpoint}" + (f"?{query.decode('latin-1')}" if query else "")
    return Destination(url, anthropic_headers(target, relayed), connect=target.timeouts.connect)


def anthropic_headers(target: Target, relayed: tuple[tuple[bytes, bytes], ...]) -> list[tuple[str, str]]:
    """The caller's `anthropic-*` headers, and ours with the provider's credential."""
    headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in relayed]
    return headers + _own_headers(target)


@functools.lru_cache(maxsize=1024)
def openai_destination(target: Target, endpoint: str) -> Destination:
    """The provider's address and credential; nothing of the caller's but the body."""
    return Destination(f"{target.base_url}/{endpoint}", _own_headers(target), connect=target.timeouts.connect)


def _own_headers(target: Target) -> list[tuple[str, str]]:
    headers = [
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("user-agent", "anthropic-gateway"),
    ]
    credential = target.vendor.credential(target.api_key) if target.api_key else None
    return [*headers, credential] if credential else headers
