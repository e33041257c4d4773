"""A provider's error inside its stream, in Anthropic's terms."""

from __future__ import annotations

from gateway.protocol.anthropic.relay import MalformedStream
from gateway.protocol.openai.chunk import ChunkError

_ERROR_TYPES: dict[str | int, str] = {
    400: "invalid_request_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    422: "invalid_request_error",
    429: "rate_limit_error",
    503: "overloaded_error",
    504: "timeout_error",
    529: "overloaded_error",
    "context_length_exceeded": "invalid_request_error",
    "invalid_request_error": "invalid_request_error",
    "BadRequestError": "invalid_request_error",
    "insufficient_quota": "overloaded_error",  # the quota is the gateway's, not the caller's
    "overloaded": "overloaded_error",
    "overloaded_error": "overloaded_error",
    "server_overloaded": "overloaded_error",
    "rate_limit_error": "rate_limit_error",
    "rate_limit_exceeded": "rate_limit_error",
}


class FailedStream(MalformedStream):
    """The answer failed while it can still become an HTTP error: `type` is Anthropic's, `code` the provider's."""

    def __init__(self, error_type: str, message: str, code: str | int | None = None) -> None:
        super().__init__(message)
        self.type = error_type
        self.message = message
        self.code = code


def failed(failure: ChunkError) -> FailedStream:
    """The provider's error in Anthropic's terms; one without a known name or status is the provider's fault."""
    code: str | int | None = failure.code
    if isinstance(code, str) and code.isdecimal():
        code = int(code)
    known = [_ERROR_TYPES[each] for each in (code, failure.type) if each is not None and each in _ERROR_TYPES]
    message = failure.message or "the provider broke its answer off with an error"
    return FailedStream(known[0] if known else "api_error", message[:2000], failure.code)
