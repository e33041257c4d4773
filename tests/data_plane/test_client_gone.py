"""Clients that leave: the provider is cut off, and what was delivered is settled."""

from __future__ import annotations

import asyncio
import time

import psutil
import pytest

from gateway.metering.event import UsageEvent
from tests import upstream as provider
from tests.data_plane.house import DRAINED, SCRIPTED, House, body
from tests.data_plane.wire import Answer, Wire
from tests.upstream import LAST_CHUNK, Hang, Pause, Received, Send, Upstream, chunk, head, stream_head

FRAMES = provider.frames()
BEGUN = [Send(stream_head()), *map(Send, map(chunk, FRAMES[:5]))]
FOREVER = [part for _ in range(300) for part in (Pause(0.05), Send(chunk(FRAMES[3])))]


@pytest.mark.parametrize("how", ["close", "reset"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_client_gone_before_the_first_byte_cuts_the_provider_off(
    house: House, upstream: Upstream, how: str, stream: bool
) -> None:
    script = upstream.script(Hang())

    left = _ask_and_leave(house, upstream, body(script=script, stream=stream), script, how)

    _assert_cut_off(upstream, script, left)


@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_gone_within_a_stream_cuts_the_provider_off(
    house: House, upstream: Upstream, how: str
) -> None:
    script = upstream.script(BEGUN, FOREVER)

    left = _ask_and_leave(house, upstream, body(script=script, stream=True), script, how, after=FRAMES[4])

    _assert_cut_off(upstream, script, left)


def test_a_client_gone_while_the_provider_is_silent_cuts_it_off(house: House, upstream: Upstream) -> None:
    script = upstream.script(BEGUN, Hang())

    left = _ask_and_leave(house, upstream, body(script=script, stream=True), script, "close", after=FRAMES[4])

    _assert_cut_off(upstream, script, left)


def test_a_client_gone_within_a_json_answer_cuts_the_provider_off(house: House, upstream: Upstream) -> None:
    script = upstream.script(Send(head(200, ("content-length", "100000")) + b'{"type":"message",'), Hang())

    left = _ask_and_leave(house, upstream, body(script=script), script, "close")

    _assert_cut_off(upstream, script, left)


def test_what_was_delivered_is_settled_as_an_estimate(house: House, upstream: Upstream) -> None:
    tenant = house.tenant()
    script = upstream.script(BEGUN, FOREVER)

    _ask_and_leave(
        house, upstream, body(script=script, stream=True), script, "close", after=FRAMES[4], key=tenant.key
    )

    (event,) = _settled_for(house, tenant.key_id)
    assert (event.usage_source, event.stream, event.model) == ("estimated", True, SCRIPTED)
    assert event.usage.input_tokens == 25  # message_start told it
    assert event.usage.output_tokens >= 1


def test_a_client_gone_before_the_first_byte_is_settled_as_an_estimate(
    house: House, upstream: Upstream
) -> None:
    tenant = house.tenant()
    script = upstream.script(Hang())

    _ask_and_leave(house, upstream, body(script=script, stream=True), script, "close", key=tenant.key)

    (event,) = _settled_for(house, tenant.key_id)
    assert event.usage_source == "estimated"
    assert event.usage.input_tokens > 0


def test_a_slot_is_free_again_once_its_client_is_gone(house: House, upstream: Upstream) -> None:
    tenant = house.tenant(limits={"concurrent_requests": 1})
    script = upstream.script(BEGUN, FOREVER)

    _ask_and_leave(
        house, upstream, body(script=script, stream=True), script, "close", after=FRAMES[4], key=tenant.key
    )
    _settled_for(house, tenant.key_id)

    assert house.post(body(), key=tenant.key).status == 200


def test_a_drained_provider_is_read_to_the_end_and_settled_exactly(house: House, upstream: Upstream) -> None:
    tenant = house.tenant()
    slow = [part for frame in FRAMES[5:] for part in (Pause(0.1), Send(chunk(frame)))]
    script = upstream.script(BEGUN, slow, Send(LAST_CHUNK))

    _ask_and_leave(
        house, upstream, body(DRAINED, script, stream=True), script, "close", after=FRAMES[4], key=tenant.key
    )

    (event,) = _settled_for(house, tenant.key_id)
    assert (event.usage_source, event.usage.input_tokens, event.usage.output_tokens) == ("reported", 25, 12)
    (received,) = upstream.received(script)
    assert received.finished_at is not None


def test_many_clients_that_leave_at_random_leave_nothing_behind(house: House, upstream: Upstream) -> None:
    tenant = house.tenant()
    script = upstream.script(BEGUN, FOREVER)
    house.post(body(), key=tenant.key)
    before = _clients(house)  # of other tests

    async def one(position: int) -> None:
        connection = await Wire.connect(house.port)
        await connection.send(house.message(body(script=script, stream=True), key=tenant.key))
        await asyncio.sleep(0.01 * (position % 20))
        connection.reset() if position % 2 else connection.leave()

    async def all_of_them() -> None:
        await asyncio.gather(*(one(position) for position in range(60)))

    asyncio.run(all_of_them())
    deadline = time.monotonic() + 4
    while time.monotonic() < deadline and any(
        request.closed_at is None for request in upstream.received(script)
    ):
        time.sleep(0.05)

    reached = upstream.received(script)
    assert all(request.closed.is_set() for request in reached)
    settled = [event.attempt_id for event in house.events() if event.api_key_id == tenant.key_id]
    assert 1 + len(reached) <= len(settled) == len(set(settled)) <= 61
    assert _clients(house) - before == set()


def _clients(house: House) -> set[int]:
    """The ports of those who are connected to the gateway."""
    connections = psutil.Process(house.gateway.pid).net_connections("tcp")
    ours = [one for one in connections if one.laddr and one.laddr.port == house.port and one.raddr]
    return {one.raddr.port for one in ours if one.status == "ESTABLISHED"}


def _ask_and_leave(
    house: House,
    upstream: Upstream,
    asked: dict[str, object],
    script: str,
    how: str,
    *,
    after: bytes = b"",
    key: str | None = None,
) -> float:
    """Ask, wait until the provider has the request (and `after` has come), leave; returns when that was."""

    async def go() -> float:
        connection = await Wire.connect(house.port)
        await connection.send(house.message(asked, key=key))
        if after:
            answer = Answer()
            await connection.read_head(answer)
            await connection.read_until(answer, after)
        else:
            await asyncio.to_thread(upstream.received, script, 1)
            await asyncio.sleep(0.1)
        connection.reset() if how == "reset" else connection.leave()
        return time.monotonic()

    return asyncio.run(go())


def _assert_cut_off(upstream: Upstream, script: str, left: float) -> None:
    received: Received
    (received,) = upstream.received(script)
    assert received.closed.wait(3), "the provider was never cut off"
    assert received.closed_at is not None and received.closed_at - left < 2.0


def _settled_for(house: House, key_id: str, count: int = 1) -> list[UsageEvent]:
    """The events of one key, once there are `count`."""
    deadline = time.monotonic() + 4
    while True:
        found = [event for event in house.events() if event.api_key_id == key_id]
        if len(found) >= count or time.monotonic() > deadline:
            assert len(found) == count, f"{len(found)} events, not {count}"
            return found
        time.sleep(0.05)
