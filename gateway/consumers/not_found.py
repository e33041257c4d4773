"""Paths under `/v1` that do not exist, and the two that only say that somebody is here."""

from __future__ import annotations

from gateway.consumers.base import GatewayConsumer
from gateway.errors import NotFound


class NotFoundConsumer(GatewayConsumer):
    endpoint = "unknown"
    methods = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT")

    async def answer(self) -> None:
        raise NotFound("Not Found")


class HelloConsumer(GatewayConsumer):
    """`HEAD /` and `HEAD /api/hello`: clients warm up their connection with them."""

    endpoint = "hello"
    methods = ("GET", "HEAD")

    async def answer(self) -> None:
        await self.send_json(200, b'{"ok":true}', [])
