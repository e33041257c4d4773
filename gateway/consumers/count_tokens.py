"""`POST /v1/messages/count_tokens`: the provider's own count where it has one, else an estimate."""

from __future__ import annotations

import msgspec

from gateway.consumers import headers as request_headers
from gateway.consumers.authentication import authenticate, workspace_of
from gateway.consumers.messages import MessagesConsumer
from gateway.engine import counting
from gateway.engine.call import Call
from gateway.errors import NotFound
from gateway.protocol.anthropic.request import count_request


class CountTokensConsumer(MessagesConsumer):
    endpoint = "messages/count_tokens"

    async def answer(self) -> None:
        call = await self._call()
        self.watch_disconnect()
        count = await counting.count(call, self.plane)
        headers = [*count.headers, (b"x-gateway-token-count", count.source.encode())]
        body = count.body or msgspec.json.encode({"input_tokens": count.input_tokens})
        await self.send_json(200, body, headers)

    async def _call(self) -> Call:
        version = request_headers.version_of(self.headers)
        principal = await authenticate(self.headers, self.address, self.plane.directory, self.plane.limiter)
        self.organization_id = str(principal.organization_id)
        workspace = workspace_of(principal, self.headers)
        asked = count_request(await self.guarded_body())
        model = self.plane.directory.catalog.find(asked.model)
        if model is None:
            raise NotFound(f"model: {asked.model}")
        return Call(
            request_id=self.request_id,
            endpoint=self.endpoint,
            principal=principal,
            workspace=workspace,
            model=model,
            model_requested=asked.model,
            body=asked.body,
            max_tokens=0,
            stream=False,
            version=version.decode(),
            relayed=request_headers.relayed(self.scope["headers"], version),
            query=self.scope["query_string"],
            started=self.started,
            user_agent="",
            session_id="",
        )
