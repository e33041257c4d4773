"""Reading a provider's answer, from a real server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest

from gateway.upstreams import client as upstream_client
from gateway.upstreams.client import Kind, Reply, UpstreamClient, UpstreamFailure
from gateway.upstreams.transport import Destination
from tests.upstream import LAST_CHUNK, Hang, Pause, Send, Upstream, chunk, reply, stream_head


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


async def test_a_large_body_is_sent_in_pieces_with_the_length_that_was_told() -> None:
    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 100_000

    client = UpstreamClient()
    with Upstream() as upstream:
        script = upstream.script(reply(200, b"taken"))
        told = [("content-length", "4000000"), ("x-script", script)]
        destination = Destination(upstream.base_url, told, connect=1.0)

        answer = await client.upload(destination, pieces(), first_byte=5.0)
        read = await answer.read_all(100, 5.0)
        await answer.aclose()
        (received,) = upstream.received(script)
    await client.aclose()

    assert (answer.status, read) == (200, b"taken")
    assert (received.method, received.body) == ("POST", b"x" * 4_000_000)
    assert (received.header("content-length"), received.header("transfer-encoding")) == ("4000000", None)


async def test_what_is_only_looked_at_has_no_body() -> None:
    client = UpstreamClient()
    with Upstream() as upstream:
        script = upstream.script(reply(404, b"nothing"))
        destination = Destination(f"{upstream.base_url}/there?a=b", [("x-script", script)], connect=1.0)

        answer = await client.get(destination, first_byte=5.0)
        await answer.aclose()
        (received,) = upstream.received(script)
    await client.aclose()

    assert (answer.status, received.method, received.target, received.body) == (404, "GET", "/there?a=b", b"")
    assert received.header("content-length") is None
