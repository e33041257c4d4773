"""`POST /v1/messages/count_tokens`: the provider's own count where it has one, else an estimate."""

from __future__ import annotations

import msgspec

from gateway.consumers.messages import MessagesConsumer
from gateway.engine import counting
from gateway.engine.asked import Asked
from gateway.engine.surfaces.messages import MESSAGES
from gateway.protocol.anthropic.request import count_request
from gateway.protocol.body import Body


class CountTokensConsumer(MessagesConsumer):
    endpoint = "messages/count_tokens"
    infers = False

    def asked(self, body: Body) -> Asked:
        request = count_request(body)
        return Asked(body, request.model, 0, False, MESSAGES)

    async def answer(self) -> None:
        call = await self.call()
        self.watch_disconnect()
        count = await counting.count(call, self.plane)
        headers = [*count.headers, (b"x-gateway-token-count", count.source.encode())]
        body = count.body or msgspec.json.encode({"input_tokens": count.input_tokens})
        await self.send_json(200, body, headers)
