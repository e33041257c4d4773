"""Reading a body: whole, bounded in size and in time."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from gateway.consumers import request_body
from gateway.consumers.request_body import ClientGone, discard_body, read_body
from gateway.errors import RequestTimeout, TooLarge, UnsupportedEncoding


class Sender:
    """A client's side: sends its parts, then says nothing more. Counts what was taken."""

    def __init__(self, *parts: bytes, ends: bool = True, leaves: bool = False) -> None:
        self._messages: list[dict[str, Any]] = [
            {"type": "http.request", "body": part, "more_body": not ends or number < len(parts)}
            for number, part in enumerate(parts, 1)
        ]
        if leaves:
            self._messages.append({"type": "http.disconnect"})
        self.taken = 0

    async def receive(self) -> dict[str, Any]:
        if not self._messages:
            await asyncio.Event().wait()
        self.taken += 1
        return self._messages.pop(0)


async def test_parts_make_one_body() -> None:
    assert await read_body(Sender(b"one ", b"two").receive, {}) == b"one two"


async def test_a_body_of_just_the_limit_passes_and_one_byte_more_does_not() -> None:
    assert await read_body(Sender(b"12345", b"67890").receive, {}, limit=10) == b"1234567890"
    with pytest.raises(TooLarge):
        await read_body(Sender(b"12345", b"678901").receive, {}, limit=10)


async def test_a_told_length_beyond_the_limit_is_refused_before_anything_is_read() -> None:
    sender = Sender(b"12345")
    with pytest.raises(TooLarge):
        await read_body(sender.receive, {b"content-length": b"11"}, limit=10)
    assert sender.taken == 0


async def test_a_lying_length_is_counted_all_the_same() -> None:
    with pytest.raises(TooLarge):
        await read_body(Sender(b"12345", b"678901").receive, {b"content-length": b"5"}, limit=10)


async def test_a_client_that_stops_sending_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_body, "IDLE_SECONDS", 0.02)
    with pytest.raises(RequestTimeout) as refused:
        await read_body(Sender(b"half a bo", ends=False).receive, {})
    assert refused.value.status == 408


async def test_a_client_that_leaves_is_no_error_of_its_request() -> None:
    with pytest.raises(ClientGone):
        await read_body(Sender(b"half a bo", ends=False, leaves=True).receive, {})


@pytest.mark.parametrize("encoding", [b"gzip", b"deflate", b"zstd", b"br", b"gzip, identity"])
async def test_compressed_bodies_are_not_read(encoding: bytes) -> None:
    sender = Sender(b"\x1f\x8b")
    with pytest.raises(UnsupportedEncoding):
        await read_body(sender.receive, {b"content-encoding": encoding})
    assert sender.taken == 0


async def test_what_is_still_being_sent_is_read_away_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    sender = Sender(b"a", b"b", b"c")
    await discard_body(sender.receive)
    assert sender.taken == 3
    monkeypatch.setattr(request_body, "DISCARD_SECONDS", 0.02)
    await discard_body(Sender(b"never ends", ends=False).receive)
    monkeypatch.setattr(request_body, "DISCARD_BYTES", 3)
    endless = Sender(b"ab", b"cd", b"ef", ends=False)
    await discard_body(endless.receive)
    assert endless.taken == 2
