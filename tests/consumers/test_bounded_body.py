"""What Django may be sent."""

from __future__ import annotations

import asyncio
from typing import Any

from gateway.bounded_body import MAX_BYTES, MAX_UPLOAD_BYTES, UPLOADS, UPLOADS_AT_ONCE, BoundedBody


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


def upload(path: str, length: int) -> dict[str, Any]:
    return {"path": path, "headers": [(b"content-length", b"%d" % length)]}


class Django:
    """Holds what it is given until it is let go."""

    def __init__(self) -> None:
        self.begun = 0
        self.gate = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        self.begun += 1
        await self.gate.wait()


async def statuses(bounded: BoundedBody, scope: dict[str, Any]) -> list[int]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    await bounded(scope, None, send)
    return [message["status"] for message in sent if "status" in message]


async def test_files_may_be_larger_on_the_one_page_that_takes_them() -> None:
    django = Django()
    django.gate.set()
    bounded = BoundedBody(django)

    answers = [
        await statuses(bounded, upload(path, length))
        for path, length in (
            (UPLOADS, MAX_UPLOAD_BYTES),
            (UPLOADS, MAX_UPLOAD_BYTES + 1),
            ("/login", MAX_BYTES + 1),
        )
    ]

    assert answers == [[], [413], [413]]
    assert django.begun == 1


async def test_only_a_few_files_come_in_at_once() -> None:
    django = Django()
    bounded = BoundedBody(django)
    coming = [
        asyncio.create_task(statuses(bounded, upload(UPLOADS, MAX_UPLOAD_BYTES)))
        for _ in range(UPLOADS_AT_ONCE)
    ]
    await asyncio.sleep(0)

    one_more = await statuses(bounded, upload(UPLOADS, MAX_UPLOAD_BYTES))
    small = asyncio.create_task(statuses(bounded, upload(UPLOADS, 100)))
    await asyncio.sleep(0)
    django.gate.set()
    await asyncio.gather(*coming, small)

    assert one_more == [529]
    assert django.begun == UPLOADS_AT_ONCE + 1
    assert await statuses(bounded, upload(UPLOADS, MAX_UPLOAD_BYTES)) == []
