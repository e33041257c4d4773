"""Everything that can go wrong towards a caller, as one small tree.

    GatewayError               status, Anthropic error type, message, extra headers
      InvalidRequest       400 invalid_request_error
      AuthenticationFailed 401 authentication_error
      OutOfCredit          402 billing_error
      PermissionDenied     403 permission_error
      NotFound             404 not_found_error
      MethodNotAllowed     405 invalid_request_error
      RequestTimeout       408 timeout_error
      Conflict             409 conflict_error
      TooLarge             413 request_too_large
      UnsupportedEncoding  415 invalid_request_error
      NoWebSocket          426 invalid_request_error
      RateLimited          429 rate_limit_error
      SpendLimitReached    429 billing_error
      InternalError        500 api_error
      Unavailable          503 api_error
      UpstreamTimeout      504 timeout_error
      Overloaded           529 overloaded_error

Raise what happened; `envelope` turns it into the body that every Anthropic SDK reads.
"""

from __future__ import annotations

import json
from typing import ClassVar


class GatewayError(Exception):
    """An answer other than 2xx. `headers` are added to the response, `error_code` to `error.details`."""

    status: ClassVar[int] = 500
    type: ClassVar[str] = "api_error"

    def __init__(
        self, message: str, *, headers: dict[str, str] | None = None, error_code: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.headers = headers or {}
        self.error_code = error_code


class InvalidRequest(GatewayError):
    status, type = 400, "invalid_request_error"


class AuthenticationFailed(GatewayError):
    status, type = 401, "authentication_error"


class OutOfCredit(GatewayError):
    status, type = 402, "billing_error"


class PermissionDenied(GatewayError):
    status, type = 403, "permission_error"


class NotFound(GatewayError):
    status, type = 404, "not_found_error"


class MethodNotAllowed(GatewayError):
    status, type = 405, "invalid_request_error"


class Conflict(GatewayError):
    status, type = 409, "conflict_error"


class RequestTimeout(GatewayError):
    status, type = 408, "timeout_error"


class TooLarge(GatewayError):
    status, type = 413, "request_too_large"


class UnsupportedEncoding(GatewayError):
    status, type = 415, "invalid_request_error"


class NoWebSocket(GatewayError):
    status, type = 426, "invalid_request_error"


class RateLimited(GatewayError):
    status, type = 429, "rate_limit_error"


class SpendLimitReached(GatewayError):
    status, type = 429, "billing_error"


class InternalError(GatewayError):
    status, type = 500, "api_error"


class Unavailable(GatewayError):
    status, type = 503, "api_error"


class UpstreamTimeout(GatewayError):
    status, type = 504, "timeout_error"


class Overloaded(GatewayError):
    status, type = 529, "overloaded_error"


def envelope(error: GatewayError, request_id: str) -> bytes:
    """The Anthropic error body; its `request_id` equals the `request-id` header."""
    inner: dict[str, object] = {"type": error.type, "message": error.message}
    if error.error_code:
        inner["details"] = {"error_code": error.error_code}
    return json.dumps(
        {"type": "error", "error": inner, "request_id": request_id}, ensure_ascii=False
    ).encode()
