"""Pings fill silence, and never come after the end."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.consumers.pacemaker import Pacemaker
from gateway.protocol.anthropic.blocks import PING


class Client:
    """Takes what is sent; `slow` makes each send wait, as a client that reads slowly does."""

    def __init__(self, *, slow: float = 0.0) -> None:
        self.received: list[bytes] = []
        self._slow = slow

    async def send(self, message: dict[str, Any]) -> None:
        await asyncio.sleep(self._slow)
        self.received.append(message["body"])


async def test_silence_is_filled_with_pings() -> None:
    client = Client()
    pacemaker = Pacemaker(client.send, 0.02, PING)
    await asyncio.sleep(0.07)
    await pacemaker.stop()
    assert 2 <= len(client.received) <= 4
    assert set(client.received) == {PING}


async def test_a_stream_that_is_busy_needs_no_pings() -> None:
    client = Client()
    pacemaker = Pacemaker(client.send, 0.05, PING)
    for _ in range(10):
        await asyncio.sleep(0.01)
        pacemaker.beat()
    await pacemaker.stop()
    assert client.received == []


async def test_a_ping_that_is_due_and_has_not_begun_is_dropped_at_the_end() -> None:
    client = Client()
    pacemaker = Pacemaker(client.send, 60, PING)
    pacemaker._last -= 120  # silent for two minutes
    pacemaker._check()  # the ping's task is made and waits for its turn
    await pacemaker.stop()
    assert client.received == []


async def test_a_ping_that_is_being_sent_is_waited_for() -> None:
    client = Client(slow=0.02)
    pacemaker = Pacemaker(client.send, 0.01, PING)
    await asyncio.sleep(0.02)
    await pacemaker.stop()
    sent = list(client.received)
    await asyncio.sleep(0.05)
    assert sent == client.received == [PING]
