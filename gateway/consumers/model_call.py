"""What every endpoint that calls a model does: read, check, serve, send. Subclasses say how their clients speak."""

from __future__ import annotations

import asyncio
import re
import time

from gateway.consumers import headers as request_headers
from gateway.consumers.authentication import authenticate, workspace_of
from gateway.consumers.base import GatewayConsumer
from gateway.consumers.pacemaker import Pacemaker
from gateway.consumers.request_body import read_body
from gateway.contents.recording import Recording
from gateway.engine import exchange
from gateway.engine.asked import Asked, output_limit, permitted_model
from gateway.engine.call import Call
from gateway.engine.inference_geo import inference_geo
from gateway.engine.live_stream import LiveStream
from gateway.engine.settlement import CLIENT_CLOSED
from gateway.errors import GatewayError
from gateway.principal import Principal, Workspace
from gateway.protocol import body as guarded
from gateway.protocol.body import Body

LARGE_BODY = 256 * 1024  # bytes; from here on guarding a body takes milliseconds and moves to a thread
MOST_PATIENCE = 600.0  # seconds

STREAM_HEADERS = [(b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no")]
# By these clients name a conversation: Claude Code, Codex, and anybody who wants to.
SESSION_HEADERS = (b"x-claude-code-session-id", b"session_id", b"session-id", b"x-session-id")

_SECONDS = re.compile(rb"[0-9]{1,9}(\.[0-9]{1,9})?")


class ModelCallConsumer(GatewayConsumer):
    """`asked` checks a guarded body. `infers` is false where no model is run."""

    infers = True

    def asked(self, body: Body) -> Asked:
        """Raises `InvalidRequest`."""
        raise NotImplementedError

    def version(self) -> bytes:
        """The Anthropic API version that a provider of that dialect is asked in."""
        return request_headers.DEFAULT_VERSION

    def relayed(self, version: bytes) -> tuple[tuple[bytes, bytes], ...]:
        """Headers that go on to a provider of the Anthropic dialect."""
        return ((b"anthropic-version", version),)

    @property
    def query(self) -> bytes:
        """The query that goes on to it."""
        return b""

    async def answer(self) -> None:
        call = await self.call()
        self.watch_disconnect()
        if call.workspace.content_days:
            await self._serve_recorded(call)
        else:
            await self._serve(call)

    async def _serve_recorded(self, call: Call) -> None:
        """With what is asked and answered kept, since an admin of the workspace wants it."""
        recording = _recording(call, self.scope["headers"])
        try:
            await self._serve(call, recording)
        except GatewayError as error:
            recording.status, told = self.told(error)
            recording.add(told)
            await self.refuse(error)
        finally:
            recording.status = recording.status or self.status or CLIENT_CLOSED
            recording.answered = self.head
            self.plane.contents.keep(recording)

    async def _serve(self, call: Call, recording: Recording | None = None) -> None:
        answer = await exchange.serve(call, self.plane)
        if answer.stream is not None:
            await self._stream(answer.stream, answer.headers, call.surface.ping, recording)
            return
        if recording is not None:
            recording.add(answer.body)
        length = (b"content-length", b"%d" % len(answer.body))
        await self.start(200, [*answer.headers, length])
        await self.base_send({"type": "http.response.body", "body": answer.body})

    async def call(self) -> Call:
        """The checked request: who asks, then for what. Raises `GatewayError`."""
        version = self.version()
        principal, workspace = await self.caller()
        self.organization_id = str(principal.organization_id)
        asked = await self._read()
        model = permitted_model(asked.model, self.plane.directory.catalog, workspace)
        geography = workspace.geography if self.infers else None
        return Call(
            request_id=self.request_id,
            endpoint=self.endpoint,
            surface=asked.surface,
            principal=principal,
            workspace=workspace,
            model=model,
            model_requested=asked.model,
            body=asked.body,
            max_tokens=output_limit(asked, model),
            stream=asked.stream,
            version=version.decode(),
            relayed=self.relayed(version),
            query=self.query,
            started=self.started,
            patience=patience_of(self.headers),
            user_agent=self.headers.get(b"user-agent", b"")[:200].decode("latin-1"),
            session_id=session_of(self.headers) or asked.conversation,
            inference_geo="" if geography is None else inference_geo(asked.body, geography),
            address=self.address,
            checked=time.perf_counter(),
        )

    async def caller(self) -> tuple[Principal, Workspace]:
        """Who asks, and in which workspace. Raises `GatewayError`."""
        principal = await authenticate(self.headers, self.address, self.plane.directory, self.plane.limiter)
        self.organization_id = str(
            principal.organization_id
        )  # told also where the workspace is none of theirs
        return principal, workspace_of(principal, self.headers)

    async def _read(self) -> Asked:
        raw = await read_body(self.receive, self.headers)
        if len(raw) > LARGE_BODY:
            return await asyncio.to_thread(lambda: self.asked(guarded.parse(raw)))
        return self.asked(guarded.parse(raw))

    async def _stream(
        self,
        stream: LiveStream,
        headers: list[tuple[bytes, bytes]],
        ping: bytes,
        recording: Recording | None,
    ) -> None:
        """Each read goes on at once; when the process stops, the stream still ends with an error event."""
        pacemaker = Pacemaker(self.base_send, self.plane.configuration.ping_seconds, ping)
        try:
            await self.start(200, [*headers, *STREAM_HEADERS])
            try:
                while (frames := await stream.read()) is not None:
                    pacemaker.beat()
                    if recording is not None:
                        recording.add(frames)
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


def _recording(call: Call, headers: list[tuple[bytes, bytes]]) -> Recording:
    return Recording(
        request_id=call.request_id,
        organization_id=call.principal.organization_id,
        workspace_id=call.workspace.id,
        api_key_id=call.principal.key_id,
        endpoint=call.endpoint,
        streamed=call.stream,
        headers=headers,
        request=call.body.raw,
        days=call.workspace.content_days,
    )


def patience_of(headers: request_headers.Headers) -> float:
    """Seconds that the caller waits for a beginning, as the official SDKs tell them (or `NOT_GIVEN`)."""
    told = headers.get(b"x-stainless-timeout", b"")
    if not _SECONDS.fullmatch(told):
        return MOST_PATIENCE
    return min(float(told), MOST_PATIENCE) or MOST_PATIENCE


def session_of(headers: request_headers.Headers) -> str:
    """The client's name of this conversation, or nothing."""
    for name in SESSION_HEADERS:
        if name in headers:
            return headers[name][:200].decode("latin-1")
    return ""
