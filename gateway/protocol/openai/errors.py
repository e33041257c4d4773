"""A provider's refusal in the OpenAI dialect as the gateway's own error."""

from __future__ import annotations

import re
from collections.abc import Mapping

import msgspec

from gateway.errors import (
    GatewayError,
    InternalError,
    InvalidRequest,
    NotFound,
    Overloaded,
    RateLimited,
    TooLarge,
    UpstreamTimeout,
)
from gateway.protocol.openai.overflow import CODES, overflow_sentence

_LONGEST_MESSAGE = 2_000
_NO_QUOTA = frozenset(("insufficient_quota", "billing_hard_limit_reached", "billing_not_active"))
# Two vendors answer a wrong key with 400, and quote from it.
_WRONG_KEY = re.compile(r"(?:incorrect|invalid) api key|api key (?:is )?(?:not valid|invalid)", re.IGNORECASE)
_STATUS_OF_CODE = {
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "invalid_request_error": 400,
    "BadRequestError": 400,
    "NotFoundError": 404,
    "model_not_found": 404,
    "invalid_api_key": 401,
    "timeout_error": 504,
    "server_error": 500,
    "overloaded": 503,
    "overloaded_error": 503,
    "server_overloaded": 503,
}
_OUR_KEY = "The provider refused the gateway's own credentials."
BROKEN_OFF = "The provider broke its answer off with an error."


class Detail(msgspec.Struct):
    """What went wrong at the provider; `code` and `type` are names, `code` sometimes an HTTP status."""

    message: object = None
    type: object = None
    code: object = None


class Body(msgspec.Struct):
    """`{"error": {...}}` by the book; `{"error": "..."}`, a bare detail, and `{"detail": ...}` are met too."""

    error: Detail | str | None = None
    message: object = None
    type: object = None
    code: object = None
    detail: object = None


_decoder = msgspec.json.Decoder(Body | list[Body])


def error_from_openai(status: int, body: bytes, *, headers: Mapping[str, str]) -> GatewayError:
    """What the caller is told. `headers` (when to try again) go with it where trying again may help.

    `status` below 400 means that an answer turned out to be an error; then its own code decides.
    """
    detail = read(body)
    if status < 400:
        return error_in_answer(detail or Detail())
    return _error(status, detail or Detail(), dict(headers))


def error_in_answer(detail: Detail) -> GatewayError:
    """An error that stands where an answer should, or in the middle of one.

    A failure of the provider keeps its words, there is no status that would tell more.
    """
    error = _error(_status_within(detail), detail, {})
    if type(error) is InternalError and error.message != _OUR_KEY:
        return InternalError(_message(detail) or BROKEN_OFF)
    return error


def _error(status: int, detail: Detail, headers: dict[str, str]) -> GatewayError:
    """The gateway's key and account at the provider are never the caller's affair: no 401, no 402."""
    message, codes = _message(detail), _codes(detail)
    if status in (401, 403) or "invalid_api_key" in codes or _WRONG_KEY.search(message):
        return InternalError(_OUR_KEY)
    if status == 402 or codes & _NO_QUOTA:
        return Overloaded("The provider does not serve this gateway at the moment.")
    if status == 429:
        return RateLimited("The provider is limiting requests.", headers=headers)
    overflow = overflow_sentence(message, next(iter(codes & CODES), None))
    if overflow is not None:
        return InvalidRequest(overflow)
    return _by_status(status, message, headers)


def read(body: bytes) -> Detail | None:
    """What the body tells, None where it is no error body (an HTML page, say)."""
    try:
        told = _decoder.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError):
        return None
    if isinstance(told, list):  # Gemini's way
        told = told[0] if told else Body()
    if isinstance(told.error, Detail):
        return told.error
    message = told.error or told.message or told.detail
    return Detail(message, told.type, told.code) if message else None


def _message(detail: Detail) -> str:
    told = detail.message
    if told and not isinstance(told, str):
        told = msgspec.json.encode(told).decode()
    return told[:_LONGEST_MESSAGE] if isinstance(told, str) else ""


def _codes(detail: Detail) -> set[str]:
    """`code` and `type`: providers put the same words into either."""
    return {word for word in (detail.code, detail.type) if isinstance(word, str)}


def _status_within(detail: Detail) -> int:
    code = detail.code
    if isinstance(code, str) and code.isdecimal():
        code = int(code[:9])
    if isinstance(code, int) and 400 <= code < 600:
        return code
    for word in (code, detail.type):  # the code tells more than the type
        if isinstance(word, str) and word in _STATUS_OF_CODE:
            return _STATUS_OF_CODE[word]
    return 500


def _by_status(status: int, message: str, headers: dict[str, str]) -> GatewayError:
    if status in (408, 504):
        return UpstreamTimeout("The provider did not answer in time.", headers=headers)
    if status in (503, 529):
        return Overloaded("The provider is overloaded.", headers=headers)
    if status >= 500 or not message:
        return InternalError(f"The provider answered with status {status}.", headers=headers)
    if status == 404:
        return NotFound(message)
    return TooLarge(message) if status == 413 else InvalidRequest(message)
