"""What a request looks like on the wire, and what becomes of its connection."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from gateway.upstreams.client import Kind, UpstreamClient, UpstreamFailure
from gateway.upstreams.transport import Destination
from tests.upstream import Close, Pause, Send, Upstream, head, reply, stream_head

BUSY = b"an answer before the question's end"


@pytest.fixture
async def client() -> AsyncIterator[UpstreamClient]:
    client = UpstreamClient()
    yield client
    await client.aclose()


async def answered(client: UpstreamClient, destination: Destination, body: bytes) -> tuple[int, bytes]:
    answer = await client.post(destination, body, first_byte=2.0)
    try:
        return answer.status, await answer.read_all(1000, 2.0)
    finally:
        await answer.aclose()


async def test_a_request_says_where_it_goes_how_long_it_is_and_what_it_was_given(
    client: UpstreamClient,
) -> None:
    with Upstream() as upstream:
        script = upstream.script(reply(200, b"yes"))
        url = f"{upstream.base_url}/v1/messages?beta=true&name=a%20b"
        destination = Destination(url, [("X-Api-Key", "k 50%"), ("anthropic-beta", script)], connect=1.0)

        assert await answered(client, destination, "ö".encode()) == (200, b"yes")
        (received,) = upstream.received(script)

    assert (received.method, received.target) == ("POST", "/v1/messages?beta=true&name=a%20b")
    assert received.headers == [
        ("Host", f"127.0.0.1:{upstream.port}"),
        ("X-Api-Key", "k 50%"),
        ("anthropic-beta", script),
        ("content-length", "2"),
    ]
    assert received.body == "ö".encode()


async def test_credentials_in_an_address_are_told_as_such_and_an_empty_body_by_its_length(
    client: UpstreamClient,
) -> None:
    with Upstream() as upstream:
        script = upstream.script(reply(200, b"yes"))
        address = upstream.base_url.replace("http://", "http://ada:secret@")
        await answered(client, Destination(f"{address}/{script}", [], connect=1.0), b"")
        (received,) = upstream.received(script)

    assert received.header("authorization") == "Basic YWRhOnNlY3JldA=="
    assert received.header("host") == f"127.0.0.1:{upstream.port}"
    assert received.header("content-length") == "0"


@pytest.mark.parametrize("end", ["\r", "\n", "\0"])
async def test_a_header_cannot_end_its_line(client: UpstreamClient, end: str) -> None:
    with Upstream() as upstream:
        destination = Destination(upstream.base_url, [("anthropic-beta", f"a{end}x-api-key: b")], connect=1.0)
        with pytest.raises(UpstreamFailure) as failed:
            await answered(client, destination, b"")

    assert failed.value.kind is Kind.BROKEN
    assert upstream.log == []


async def test_an_answer_may_be_announced_before_it_comes(client: UpstreamClient) -> None:
    with Upstream() as upstream:
        early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
        script = upstream.script(
            [Send(b"HTTP/1.1 100 Continue\r\n\r\n"), Send(early), *reply(201, b"the answer")]
        )
        destination = Destination(upstream.base_url, [], connect=1.0)

        assert await answered(client, destination, script.encode()) == (201, b"the answer")


async def test_requests_after_another_share_a_connection_until_an_answer_says_otherwise(
    client: UpstreamClient,
) -> None:
    with Upstream() as upstream:
        kept = upstream.script(reply(200, b"first"))
        last = upstream.script(reply(200, b"last", ("connection", "close")))
        destination = Destination(upstream.base_url, [], connect=1.0)
        for script in (kept, kept, last, kept):
            await answered(client, destination, script.encode())

    assert [received.connection for received in upstream.log] == [1, 1, 1, 2]


async def test_an_answer_that_is_not_read_to_its_end_costs_its_connection(client: UpstreamClient) -> None:
    with Upstream() as upstream:
        script = upstream.script([Send(stream_head()), Pause(5)])
        destination = Destination(upstream.base_url, [], connect=1.0)
        answer = await client.post(destination, script.encode(), first_byte=2.0)
        await answer.aclose()
        (received,) = upstream.received(script)

        assert await asyncio.to_thread(received.closed.wait, 2)


async def test_a_connection_on_which_a_body_is_still_waiting_is_not_used_again(
    client: UpstreamClient,
) -> None:
    async def answer_before_the_end(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head(413, ("content-length", str(len(BUSY)))) + BUSY)
        await writer.drain()
        await asyncio.sleep(0.5)
        writer.close()

    connections = 0
    server = await asyncio.start_server(answer_before_the_end, "127.0.0.1", 0, limit=1024)
    async with server:
        destination = Destination(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", [], connect=1.0)
        for _ in range(2):
            assert await answered(client, destination, b"x" * (30 << 20)) == (413, BUSY)

    assert connections == 2


@pytest.mark.parametrize(
    "wrong", [b"this is no HTTP\r\n\r\n", b"HTTP/1.1 200 OK\r\nx: " + b"y" * 70_000 + b"\r\n\r\n", b""]
)
async def test_an_answer_without_a_head_is_broken(client: UpstreamClient, wrong: bytes) -> None:
    with Upstream() as upstream:
        script = upstream.script([Send(wrong), Close()])
        with pytest.raises(UpstreamFailure) as failed:
            await answered(client, Destination(upstream.base_url, [], connect=1.0), script.encode())

    assert failed.value.kind is Kind.BROKEN


async def test_a_provider_that_is_not_there_is_told_from_one_that_is_slow(client: UpstreamClient) -> None:
    with Upstream() as upstream:
        slow = upstream.script([Pause(3), *reply(200, b"late")])
        with pytest.raises(UpstreamFailure) as late:
            await client.post(Destination(upstream.base_url, [], connect=1.0), slow.encode(), first_byte=0.2)
        (received,) = upstream.received(slow, 1)
        assert await asyncio.to_thread(received.closed.wait, 2)
    with pytest.raises(UpstreamFailure) as gone:
        await client.post(Destination(upstream.base_url, [], connect=1.0), b"", first_byte=2.0)

    assert (late.value.kind, gone.value.kind) == (Kind.TIMEOUT, Kind.CONNECT)
