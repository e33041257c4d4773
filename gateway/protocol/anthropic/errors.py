"""Anthropic's error body and error event, in both directions."""

from __future__ import annotations

import msgspec

from gateway.protocol import sse

STATUS_OF_TYPE = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "billing_error": 402,
    "permission_error": 403,
    "not_found_error": 404,
    "conflict_error": 409,
    "request_too_large": 413,
    "rate_limit_error": 429,
    "api_error": 500,
    "timeout_error": 504,
    "overloaded_error": 529,
}


class ErrorDetail(msgspec.Struct):
    type: str
    message: str = ""


class ErrorBody(msgspec.Struct):
    """`{"type": "error", "error": {"type", "message"}}`"""

    error: ErrorDetail


_decoder = msgspec.json.Decoder(ErrorBody)


def read(body: bytes) -> ErrorDetail | None:
    """The error that a body tells of, or None if it is not in Anthropic's envelope."""
    try:
        return _decoder.decode(body).error
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError):
        return None


def error_event(error_type: str, message: str, request_id: str) -> bytes:
    """The frame that ends a stream which cannot go on; nothing follows it."""
    body = {"type": "error", "error": {"type": error_type, "message": message}, "request_id": request_id}
    return sse.frame("error", msgspec.json.encode(body))
