"""Errors in the envelope that the OpenAI SDKs read, as an HTTP body and as the last frame of a stream."""

from __future__ import annotations

import re
from typing import NamedTuple

import msgspec

from gateway.errors import GatewayError
from gateway.protocol.anthropic.errors import STATUS_OF_TYPE
from gateway.protocol.openai.overflow import overflow_sentence

_FIELD = re.compile(r"([a-z_][a-z0-9_]*(?:\.[\w-]+)*): ")
_MODEL = re.compile(r"model: \S+$")


class Kind(NamedTuple):
    """How an error is called: HTTP status, `type`, `code`."""

    status: int
    type: str
    code: str | None = None


_NO_QUOTA = Kind(429, "insufficient_quota", "insufficient_quota")
_KINDS = {
    401: Kind(401, "invalid_request_error", "invalid_api_key"),
    402: _NO_QUOTA,
    403: Kind(403, "permission_error"),
    429: Kind(429, "rate_limit_error", "rate_limit_exceeded"),
    529: Kind(503, "server_error", "overloaded"),
}


class Detail(msgspec.Struct):
    message: str
    type: str
    param: str | None
    code: str | None


class Envelope(msgspec.Struct):
    error: Detail


def openai_envelope(error: GatewayError) -> tuple[int, bytes]:
    """Status and body for a client that speaks the OpenAI dialect."""
    return envelope_of(error.status, error.type, error.message, error.error_code)


def envelope_of(
    status: int, error_type: str, message: str, error_code: str | None = None
) -> tuple[int, bytes]:
    """The same for an error that is known by Anthropic's status, type, message and `details.error_code`."""
    kind = _kind(status, error_type, message, error_code)
    return kind.status, msgspec.json.encode(Envelope(_detail(kind, message)))


def param_and_code(error: GatewayError) -> tuple[str | None, str | None]:
    """The field that is wrong and the name of the mistake, where there are such."""
    kind = _kind(error.status, error.type, error.message, error.error_code)
    detail = _detail(kind, error.message)
    return detail.param, detail.code


def retry_headers(error: GatewayError) -> dict[str, str]:
    """Trying again does not fill an empty account, though the SDKs would: they retry every 429."""
    kind = _kind(error.status, error.type, error.message, error.error_code)
    return {"x-should-retry": "false"} if kind is _NO_QUOTA else {}


def error_frame(error_type: str, message: str) -> bytes:
    """The frame that ends a stream which cannot go on, by Anthropic's type; nothing follows it, no `[DONE]` either."""
    kind = _kind(STATUS_OF_TYPE.get(error_type, 500), error_type, message, None)
    return b"data: %b\n\n" % msgspec.json.encode(Envelope(_detail(kind, message)))


def _kind(status: int, error_type: str, message: str, error_code: str | None) -> Kind:
    if error_type == "billing_error" or (error_code or "").endswith("spend_limit_reached"):
        return _NO_QUOTA
    if status in (400, 413) and overflow_sentence(message, None) is not None:
        return Kind(status, "invalid_request_error", "context_length_exceeded")
    if status == 404:
        code = "model_not_found" if _MODEL.match(message) else None
        return Kind(404, "invalid_request_error", code)
    ordinary = "server_error" if status >= 500 else "invalid_request_error"
    return _KINDS.get(status) or Kind(status, ordinary)


def _detail(kind: Kind, message: str) -> Detail:
    field = _FIELD.match(message) if kind.type == "invalid_request_error" else None
    return Detail(message, kind.type, field[1] if field else None, kind.code)
