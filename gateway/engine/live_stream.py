"""An open stream on its way to a client: whole frames as they come, always ended properly, always settled."""

from __future__ import annotations

import asyncio
import contextlib

import structlog

from gateway.engine.attempt import RETRYABLE, OpenStream, note_unknown
from gateway.engine.call import Call
from gateway.engine.plane import Plane
from gateway.engine.route import Step
from gateway.engine.settlement import CLIENT_CLOSED, Settlement
from gateway.engine.stream_sample import sample
from gateway.protocol.anthropic import errors as wire_errors
from gateway.protocol.anthropic.relay import MalformedStream, State
from gateway.upstreams.client import Kind, UpstreamFailure

log = structlog.get_logger(__name__)

DRAIN_SECONDS = 60.0
DRAINS_AT_ONCE = 64


class LiveStream:
    """Read with `read` until None, then (or whenever the client leaves) `close`.

    `close` never waits, so that it works in a task that is being cancelled.
    """

    def __init__(
        self, opened: OpenStream, step: Step, call: Call, settlement: Settlement, plane: Plane
    ) -> None:
        self._reader = opened.reader
        self._reply = opened.reply
        self._first: bytes | None = opened.first
        self._settlement = settlement
        self._plane = plane
        self._request_id = call.request_id
        self._organization = call.principal.organization_id
        self._target = step.target
        self._passage = step.passage
        self._idle_seconds = step.target.timeouts.idle
        self._ended = False
        share = plane.configuration.stream_check_share if call.surface.dialect == "anthropic" else 0
        self._sample = sample(share, call.request_id, step.target)

    @property
    def ended(self) -> bool:
        """The last frames have been read."""
        return self._ended

    async def read(self) -> bytes | None:
        """The next whole frames; an `error` event is the last thing of a stream that could not be finished."""
        if self._first is not None:
            first, self._first = self._first, None
            return self._delivered(first)
        while not self._ended:
            try:
                chunk = await self._reply.read(self._idle_seconds)
                frames = self._reader.feed(chunk) if chunk else self._reader.finish()
                if not chunk and not self._reader.ended:
                    raise UpstreamFailure(Kind.BROKEN, "the stream is not whole")
            except UpstreamFailure as failure:
                return self._failed(failure)
            except MalformedStream as problem:
                log.error("provider_sent_garbage", request_id=self._request_id, what=str(problem))
                self._plane.circuits.failed(self._target.circuit)
                return self._broken("api_error", "The provider sent a stream that cannot be read.")
            except Exception:  # a fault of ours must not end a stream in silence either
                log.exception("stream_failed", request_id=self._request_id)
                return self._broken("api_error", "An unexpected error has occurred in the gateway.")
            if frames:
                return self._delivered(frames)
        return None

    def interrupted(self) -> bytes | None:
        """End the stream now because the gateway stops; the frame to send, if the stream was still open."""
        if self._ended:
            return None
        return self._broken("overloaded_error", "The gateway is restarting. Please try again.")

    def close(self) -> None:
        """The stream is over for the client: give the connection back, or cut or drain what still runs."""
        if not self._ended:
            self._ended = True
            if self._target.drain_on_disconnect and len(self._plane.background) < DRAINS_AT_ONCE:
                self._plane.run_in_background(asyncio.create_task(self._drain()))
                return
            self._break_off(CLIENT_CLOSED, "client_closed")
        self._plane.run_in_background(asyncio.create_task(self._finish_reply()))

    def _delivered(self, frames: bytes) -> bytes:
        """Settle before the caller has the end, so that its next request finds its limits given back."""
        if self._reader.state is State.DONE:
            self._ended = True
            self._account()
        elif self._reader.state is State.FAILED:
            self._ended = True
            error_type = self._reader.error.type if self._reader.error else "api_error"
            status = wire_errors.STATUS_OF_TYPE.get(error_type, 500)
            if status in RETRYABLE:
                self._plane.circuits.failed(self._target.circuit)
            self._break_off(status, error_type)
        if self._sample is not None:
            self._sample.see(frames, last=self._ended)
        return frames

    def _account(self) -> None:
        reader = self._reader
        self._settlement.delivered(reader.usage, reader.stop_reason, estimated=reader.estimated)
        note_unknown(reader.unknown, self._target)
        if reader.signatures and self._plane.directory.catalog.several_signers:
            self._plane.signers.learn(self._organization, self._target, reader.signatures)

    def _failed(self, failure: UpstreamFailure) -> bytes:
        log.warning("provider_failed", request_id=self._request_id, failure=str(failure))
        self._plane.circuits.failed(self._target.circuit)
        if failure.kind is Kind.TIMEOUT:
            message = f"The provider sent nothing for {self._idle_seconds:g} seconds."
            return self._broken("timeout_error", message)
        return self._broken("api_error", "The provider closed the connection before the message ended.")

    def _broken(self, error_type: str, message: str) -> bytes:
        self._ended = True
        self._break_off(wire_errors.STATUS_OF_TYPE[error_type], error_type)
        return self._passage.error_event(error_type, message)

    def _break_off(self, status: int, error_type: str) -> None:
        self._settlement.broken_off(
            self._reader.usage, self._reader.delivered, status=status, error_type=error_type[:64]
        )

    async def _finish_reply(self) -> None:
        """After the end, the rest of a well-behaved answer is nothing, and its connection can be used again."""
        with contextlib.suppress(UpstreamFailure):
            if self._reader.state is State.DONE:
                await self._reply.read(0.5)
        await self._reply.aclose()

    async def _drain(self) -> None:
        """The client left and the provider's policy is to hear it out: exact usage, bounded in time."""
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                while not self._reader.ended:
                    chunk = await self._reply.read(self._idle_seconds)
                    if not chunk:
                        self._reader.finish()
                        break
                    self._reader.feed(chunk)
        except (TimeoutError, UpstreamFailure, MalformedStream) as problem:
            log.warning("drain_ended_early", request_id=self._request_id, error=str(problem))
        finally:
            if self._reader.state is State.DONE:
                self._account()
            else:
                self._break_off(CLIENT_CLOSED, "client_closed")
            await self._reply.aclose()
