"""Anthropic's error types as the codes of a failed response.

Codex reads `response.failed` and nothing else of a broken stream. It compacts on `context_length_exceeded`, gives up
with the message on `invalid_prompt`, and tries again on `rate_limit_exceeded` and `server_error`. On
`server_is_overloaded` it gives up and hides the message, so an overload is told as `server_error`.
"""

from __future__ import annotations

from typing import NamedTuple

_CODES = {
    "rate_limit_error": "rate_limit_exceeded",
    "invalid_request_error": "invalid_prompt",
    "request_too_large": "invalid_prompt",
    "not_found_error": "invalid_prompt",
    "permission_error": "invalid_prompt",
    "authentication_error": "invalid_prompt",
    "billing_error": "invalid_prompt",
}
# How Anthropic tells of a conversation that is too long, and the gateway for every other provider.
_OVERFLOWS = ("prompt is too long", "input length and `max_tokens` exceed context limit")


class Failure(NamedTuple):
    code: str
    message: str


def failure_from_anthropic(error_type: str, message: str) -> Failure:
    """An error type that is not known here is the provider's fault."""
    if error_type == "invalid_request_error" and any(words in message for words in _OVERFLOWS):
        return Failure("context_length_exceeded", message)
    return Failure(_CODES.get(error_type, "server_error"), message)
