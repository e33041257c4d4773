"""What Django may be sent."""

from __future__ import annotations

from typing import Any

from gateway.bounded_body import MAX_BYTES, BoundedBody


async def received_by_django(
    parts: list[bytes], headers: list[tuple[bytes, bytes]]
) -> tuple[list[str], list[Any]]:
    """What the application behind sees of a body, and what the client is sent by the bound itself."""
    messages = [
        {"type": "http.request", "body": part, "more_body": number < len(parts)}
        for number, part in enumerate(parts, 1)
    ]
    seen: list[str] = []
    sent: list[Any] = []

    async def receive() -> Any:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    async def application(scope: Any, receive: Any, send: Any) -> None:
        while messages and "http.disconnect" not in seen:
            seen.append((await receive())["type"])

    await BoundedBody(application)({"headers": headers}, receive, send)
    return seen, sent


async def test_a_small_body_passes() -> None:
    assert await received_by_django([b"a=1", b"&b=2"], []) == (["http.request", "http.request"], [])


async def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes() -> None:
    seen, sent = await received_by_django([b"x"], [(b"content-length", b"%d" % (MAX_BYTES + 1))])
    assert seen == []
    assert sent[0]["status"] == 413


async def test_a_body_that_turns_out_too_large_is_broken_off() -> None:
    seen, _ = await received_by_django([b"x" * MAX_BYTES, b"x", b"x"], [])
    assert seen == ["http.request", "http.disconnect"]
