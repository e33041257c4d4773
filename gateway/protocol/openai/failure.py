"""A provider's error inside its stream, in Anthropic's terms."""

from __future__ import annotations

from gateway.errors import GatewayError, InternalError
from gateway.protocol.anthropic.relay import MalformedStream
from gateway.protocol.openai.errors import Detail, error_in_answer, read
from gateway.protocol.sse import FrameTooLarge

NO_STREAM = "The provider sent something that is no event stream."


class FailedStream(MalformedStream):
    """The answer failed while it can still become an HTTP error, which is `error`.

    `type` and `message` are that error's, `code` is the provider's own word.
    """

    def __init__(self, error: GatewayError, code: str | int | None = None) -> None:
        super().__init__(error.message)
        self.error = error
        self.type = error.type
        self.message = error.message
        self.code = code


def failed(detail: Detail) -> FailedStream:
    """The error that the provider told, in the words and under the type that its HTTP error would have."""
    code = detail.code if isinstance(detail.code, str | int) else None
    return FailedStream(error_in_answer(detail), code)


def broken(problem: Exception) -> FailedStream:
    """A stream that cannot be read on is the provider's fault."""
    if isinstance(problem, FailedStream):
        return problem
    told = f"The provider sent {problem}." if isinstance(problem, FrameTooLarge) else str(problem)
    return FailedStream(InternalError(told))


def not_an_event(frame: bytes) -> MalformedStream:
    """What an answer is that is no stream at all; providers send errors so, with status 200."""
    told = read(frame)
    return failed(told) if told is not None else MalformedStream(NO_STREAM)
