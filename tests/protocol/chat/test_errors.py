"""Errors as the OpenAI SDKs read them."""

from __future__ import annotations

import json
from typing import Any

import httpx
import openai
import pytest

from gateway import errors
from gateway.errors import GatewayError
from gateway.protocol.chat.errors import envelope_of, error_frame, openai_envelope, retry_headers

OVERFLOW = "prompt is too long: 210000 tokens > 200000 maximum"
OUTPUT_OVERFLOW = (
    "input length and `max_tokens` exceed context limit: 190000 + 20000 > 200000, decrease input length or "
    "`max_tokens` and try again"
)


def told(status: int, error_type: str, message: str, code: str | None = None) -> tuple[Any, ...]:
    answered, body = envelope_of(status, error_type, message, code)
    error = json.loads(body)["error"]
    assert error["message"] == message
    return answered, error["type"], error["param"], error["code"]


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.InvalidRequest("Not so."), (400, "invalid_request_error", None, None)),
        (errors.InvalidRequest("n: not so"), (400, "invalid_request_error", "n", None)),
        (
            errors.InvalidRequest("messages.0.content.1.image_url.url: not so"),
            (400, "invalid_request_error", "messages.0.content.1.image_url.url", None),
        ),
        (errors.InvalidRequest(OVERFLOW), (400, "invalid_request_error", None, "context_length_exceeded")),
        (
            errors.InvalidRequest(OUTPUT_OVERFLOW),
            (400, "invalid_request_error", None, "context_length_exceeded"),
        ),
        (errors.AuthenticationFailed("No."), (401, "invalid_request_error", None, "invalid_api_key")),
        (errors.PermissionDenied("No."), (403, "permission_error", None, None)),
        (errors.NotFound("model: gpt-9"), (404, "invalid_request_error", "model", "model_not_found")),
        (errors.NotFound("Not found"), (404, "invalid_request_error", None, None)),
        (errors.MethodNotAllowed("No."), (405, "invalid_request_error", None, None)),
        (errors.RequestTimeout("Slow."), (408, "invalid_request_error", None, None)),
        (errors.TooLarge("Large."), (413, "invalid_request_error", None, None)),
        (errors.UnsupportedEncoding("No."), (415, "invalid_request_error", None, None)),
        (errors.RateLimited("model: slow down"), (429, "rate_limit_error", None, "rate_limit_exceeded")),
        (errors.InternalError("Oh."), (500, "server_error", None, None)),
        (errors.Unavailable("Oh."), (503, "server_error", None, None)),
        (errors.UpstreamTimeout("Slow."), (504, "server_error", None, None)),
        (errors.Overloaded("Busy."), (503, "server_error", None, "overloaded")),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, GatewayError) else "",
)
def test_each_error_has_its_status_type_field_and_code(
    error: GatewayError, expected: tuple[Any, ...]
) -> None:
    assert told(error.status, error.type, error.message) == expected
    assert openai_envelope(error) == envelope_of(error.status, error.type, error.message)
    assert retry_headers(error) == {}


@pytest.mark.parametrize(
    ("status", "error_type", "code"),
    [
        (402, "billing_error", None),
        (429, "billing_error", None),
        (429, "rate_limit_error", "enforced_spend_limit_reached"),
        (400, "invalid_request_error", "contract_spend_limit_reached"),
    ],
)
def test_an_empty_account_is_a_quota(status: int, error_type: str, code: str | None) -> None:
    assert told(status, error_type, "Paid up?", code) == (
        429,
        "insufficient_quota",
        None,
        "insufficient_quota",
    )


def test_an_empty_account_is_not_asked_again() -> None:
    error = errors.RateLimited("Spent.", error_code="enforced_spend_limit_reached")
    assert retry_headers(error) == {"x-should-retry": "false"}


@pytest.mark.parametrize(
    ("error_type", "expected"),
    [
        ("invalid_request_error", ("invalid_request_error", None)),
        ("rate_limit_error", ("rate_limit_error", "rate_limit_exceeded")),
        ("billing_error", ("insufficient_quota", "insufficient_quota")),
        ("api_error", ("server_error", None)),
        ("timeout_error", ("server_error", None)),
        ("overloaded_error", ("server_error", "overloaded")),
        ("something_new", ("server_error", None)),
    ],
)
def test_an_error_within_a_stream_is_one_frame(error_type: str, expected: tuple[str, str | None]) -> None:
    frame = error_frame(error_type, "Line\none")
    kind, code = expected
    assert frame.startswith(b"data: {") and frame.endswith(b"}\n\n") and frame.count(b"\n") == 2
    assert json.loads(frame[6:]) == {
        "error": {"message": "Line\none", "type": kind, "param": None, "code": code}
    }


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (errors.InvalidRequest("n: not so"), openai.BadRequestError),
        (errors.AuthenticationFailed("No."), openai.AuthenticationError),
        (errors.NotFound("model: x"), openai.NotFoundError),
        (errors.RateLimited("Slow."), openai.RateLimitError),
        (errors.Overloaded("Busy."), openai.InternalServerError),
    ],
)
def test_the_official_sdk_raises_what_happened(
    error: GatewayError, expected: type[openai.APIStatusError]
) -> None:
    status, body = openai_envelope(error)
    transport = httpx.MockTransport(lambda request: httpx.Response(status, content=body))
    with httpx.Client(transport=transport) as http, pytest.raises(expected) as caught:
        client = openai.OpenAI(api_key="k", base_url="http://gateway/v1", http_client=http, max_retries=0)
        client.chat.completions.create(model="x", messages=[{"role": "user", "content": "Hello"}])
    assert caught.value.type == json.loads(body)["error"]["type"]
    assert caught.value.code == json.loads(body)["error"]["code"]
