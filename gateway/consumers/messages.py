"""`POST /v1/messages`: read, check, serve, send."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from gateway.consumers import headers as request_headers
from gateway.consumers.authentication import authenticate, workspace_of
from gateway.consumers.base import GatewayConsumer
from gateway.consumers.pacemaker import Pacemaker
from gateway.consumers.request_body import read_body
from gateway.directory.catalog import CatalogModel
from gateway.engine import exchange
from gateway.engine.call import Call
from gateway.engine.live_stream import LiveStream
from gateway.errors import InvalidRequest, NotFound
from gateway.protocol import body as guarded
from gateway.protocol.anthropic.request import MessageRequest, message_request

LARGE_BODY = 256 * 1024  # bytes; from here on guarding a body takes milliseconds and moves to a thread

STREAM_HEADERS = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]


class MessagesConsumer(GatewayConsumer):
    endpoint = "messages"

    async def answer(self) -> None:
        call = await self.call(message_request)
        self.watch_disconnect()
        answer = await exchange.serve(call, self.plane)
        if answer.stream is not None:
            await self._stream(answer.stream, answer.headers)
        else:
            length = (b"content-length", b"%d" % len(answer.body))
            await self.start(200, [*answer.headers, length])
            await self.base_send({"type": "http.response.body", "body": answer.body})

    async def call(self, check: Callable[[guarded.Body], MessageRequest]) -> Call:
        """The checked request: who asks, then for what. Raises `GatewayError`."""
        version = request_headers.version_of(self.headers)
        principal = await authenticate(self.headers, self.address, self.plane.directory, self.plane.limiter)
        self.organization_id = str(principal.organization_id)
        workspace = workspace_of(principal, self.headers)
        asked = await self._asked(check)
        model = self.plane.directory.catalog.find(asked.model)
        _check_model(asked, model)
        assert model is not None
        return Call(
            request_id=self.request_id,
            endpoint=self.endpoint,
            principal=principal,
            workspace=workspace,
            model=model,
            model_requested=asked.model,
            body=asked.body,
            max_tokens=asked.max_tokens,
            stream=asked.stream,
            version=version.decode(),
            relayed=request_headers.relayed(self.scope["headers"], version),
            query=self.scope["query_string"],
            started=self.started,
            user_agent=self.headers.get(b"user-agent", b"")[:200].decode("latin-1"),
            session_id=self.headers.get(b"x-claude-code-session-id", b"")[:200].decode("latin-1"),
        )

    async def _asked(self, check: Callable[[guarded.Body], MessageRequest]) -> MessageRequest:
        raw = await read_body(self.receive, self.headers)
        if len(raw) > LARGE_BODY:
            return await asyncio.to_thread(lambda: check(guarded.parse(raw)))
        return check(guarded.parse(raw))

    async def _stream(self, stream: LiveStream, headers: list[tuple[bytes, bytes]]) -> None:
        """Each read goes on at once; when the process stops, the stream still ends with an error event."""
        pacemaker = Pacemaker(self.base_send, self.plane.configuration.ping_seconds)
        try:
            await self.start(200, [*headers, *STREAM_HEADERS])
            try:
                while (frames := await stream.read()) is not None:
                    pacemaker.beat()
                    if stream.ended:  # nothing may come after the last event, a ping neither
                        await pacemaker.stop()
                    await self.base_send({"type": "http.response.body", "body": frames, "more_body": True})
            except asyncio.CancelledError:
                if not self.interrupting or self._client_left:
                    raise
                await pacemaker.stop()
                last = stream.interrupted()
                await self.base_send({"type": "http.response.body", "body": last or b"", "more_body": True})
            await self.base_send({"type": "http.response.body", "body": b""})
        finally:
            pacemaker.cancel()
            stream.close()


def _check_model(asked: MessageRequest, model: CatalogModel | None) -> None:
    if model is None:
        raise NotFound(f"model: {asked.model}")
    if model.max_output_tokens is not None and asked.max_tokens > model.max_output_tokens:
        raise InvalidRequest(
            f"max_tokens: {asked.max_tokens} > {model.max_output_tokens}, which is the maximum allowed number "
            f"of output tokens for {asked.model}"
        )
