"""Reading a provider's answer, from a real server."""

from __future__ import annotations

import asyncio
import time

import pytest

from gateway.upstreams import client as upstream_client
from gateway.upstreams.client import Kind, Reply, UpstreamClient, UpstreamFailure
from gateway.upstreams.transport import Destination
from tests.upstream import LAST_CHUNK, Hang, Pause, Send, Upstream, chunk, stream_head


async def opened(client: UpstreamClient, upstream: Upstream, script: str) -> Reply:
    destination = Destination(upstream.base_url, [], connect=1.0)
    return await client.post(destination, script.encode(), first_byte=2.0)


async def test_a_rest_that_comes_just_when_its_silence_is_looked_at_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(upstream_client, "LOOK_SECONDS", 0.2)
    client = UpstreamClient()
    with Upstream() as upstream:
        script = upstream.script(
            [Send(stream_head() + chunk(b"first")), Pause(0.1), Send(chunk(b"the rest") + LAST_CHUNK)]
        )
        reply = await opened(client, upstream, script)
        pieces = [await reply.read(5)]
        # The loop is busy until both the bytes and the look are due, so that it finds them in one round.
        asyncio.get_running_loop().call_later(0.01, time.sleep, 0.4)

        while piece := await reply.read(5):
            pieces.append(piece)
        await reply.aclose()
    await client.aclose()

    assert pieces == [b"first", b"the rest"]


async def test_reading_on_at_a_connection_that_broke_meanwhile_is_a_broken_answer() -> None:
    client = UpstreamClient()
    with Upstream() as upstream:
        script = upstream.script(
            [Send(stream_head() + chunk(b"first")), Pause(0.1), Send(b"no chunk\r\n"), Hang()]
        )
        reply = await opened(client, upstream, script)
        assert await reply.read(5) == b"first"
        await asyncio.sleep(0.3)

        with pytest.raises(UpstreamFailure) as failed:
            await reply.read(5)
        await reply.aclose()
    await client.aclose()

    assert failed.value.kind is Kind.BROKEN
