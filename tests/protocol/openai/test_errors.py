"""Refusals of providers of the OpenAI dialect, as an Anthropic client is told of them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gateway.errors import GatewayError
from gateway.protocol.openai.errors import error_from_openai
from gateway.protocol.openai.overflow import overflow_sentence

RETRY = {"retry-after": "7"}
OUR_KEY = "The provider refused the gateway's own credentials."
OUR_ACCOUNT = "The provider does not serve this gateway at the moment."


def told(status: int, body: bytes) -> tuple[int, str, str, dict[str, str]]:
    error: GatewayError = error_from_openai(status, body, headers=RETRY)
    return error.status, error.type, error.message, error.headers


def by_the_book(message: str, **more: Any) -> bytes:
    return json.dumps(
        {"error": {"message": message, "type": None, "param": None, "code": None} | more}
    ).encode()


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (400, (400, "invalid_request_error", "No", {})),
        (409, (400, "invalid_request_error", "No", {})),
        (422, (400, "invalid_request_error", "No", {})),
        (401, (500, "api_error", OUR_KEY, {})),
        (403, (500, "api_error", OUR_KEY, {})),
        (402, (529, "overloaded_error", OUR_ACCOUNT, {})),
        (404, (404, "not_found_error", "No", {})),
        (413, (413, "request_too_large", "No", {})),
        (429, (429, "rate_limit_error", "The provider is limiting requests.", RETRY)),
        (408, (504, "timeout_error", "The provider did not answer in time.", RETRY)),
        (504, (504, "timeout_error", "The provider did not answer in time.", RETRY)),
        (500, (500, "api_error", "The provider answered with status 500.", RETRY)),
        (502, (500, "api_error", "The provider answered with status 502.", RETRY)),
        (503, (529, "overloaded_error", "The provider is overloaded.", RETRY)),
    ],
)
def test_every_status_has_its_equal(status: int, expected: tuple[int, str, str, dict[str, str]]) -> None:
    assert told(status, by_the_book("No")) == expected


@pytest.mark.parametrize(
    ("status", "more"),
    [
        (429, {"code": "insufficient_quota"}),
        (429, {"type": "insufficient_quota"}),
        (400, {"code": "billing_not_active"}),
    ],
)
def test_an_empty_account_of_ours_is_not_the_callers_limit(status: int, more: dict[str, str]) -> None:
    assert told(status, by_the_book("Pay", **more)) == (529, "overloaded_error", OUR_ACCOUNT, {})


@pytest.mark.parametrize("message", ["Incorrect API key provided: xa***gh", "API key not valid. Please pass"])
def test_a_wrong_key_told_with_400_is_not_quoted_to_the_caller(message: str) -> None:
    assert told(400, by_the_book(message)) == (500, "api_error", OUR_KEY, {})


@pytest.mark.parametrize(
    "body",
    [
        b'{"error":"No"}',
        b'{"object":"error","message":"No","type":"BadRequestError","code":400}',
        b'{"detail":"No"}',
        b'[{"error":{"code":400,"message":"No","status":"INVALID_ARGUMENT"}}]',
        b'{"error":{"message":"No","code":400}}',
    ],
)
def test_an_error_is_read_in_every_shape_it_comes_in(body: bytes) -> None:
    assert told(400, body) == (400, "invalid_request_error", "No", {})


def test_a_message_that_is_no_string_is_told_as_json() -> None:
    assert told(422, b'{"detail":[{"loc":["body","stop"],"msg":"bad"}]}')[2] == (
        '[{"loc":["body","stop"],"msg":"bad"}]'
    )


@pytest.mark.parametrize("body", [b"", b"<html>nginx</html>", b"null", b"[]", b"\xff", b"[" * 100_000])
def test_a_page_without_an_error_is_the_providers_fault(body: bytes) -> None:
    assert told(400, body) == (500, "api_error", "The provider answered with status 400.", RETRY)
    assert told(503, body)[:2] == (529, "overloaded_error")


@pytest.mark.parametrize(
    ("more", "status"),
    [
        ({"code": 429}, 429),
        ({"code": "503"}, 529),
        ({"type": "invalid_request_error"}, 400),
        ({"code": "rate_limit_exceeded"}, 429),
        ({"code": "mystery"}, 500),
        ({"code": 7}, 500),
    ],
)
def test_an_error_sent_as_an_answer_is_told_by_its_own_code(more: dict[str, Any], status: int) -> None:
    assert told(200, by_the_book("No", **more))[0] == status


TOO_LONG = "prompt is too long: 10000 tokens > 8192 maximum"
TOO_MUCH = (
    "input length and `max_tokens` exceed context limit: 5000 + 4000 > 8192, "
    "decrease input length or `max_tokens` and try again"
)


@pytest.mark.parametrize(
    ("wording", "sentence"),
    [
        (
            "This model's maximum context length is 8192 tokens. However, your messages resulted in 10000 tokens. "
            "Please reduce the length of the messages.",
            TOO_LONG,
        ),
        (
            "This model's maximum context length is 8192 tokens. However, you requested 9000 tokens (4900 in the "
            "messages, 100 in the functions, and 4000 in the completion).",
            TOO_MUCH,
        ),
        (
            "Input tokens exceed the configured limit of 8,192 tokens. Your messages resulted in 10,000 tokens.",
            TOO_LONG,
        ),
        (
            "'max_tokens' or 'max_completion_tokens' is too large: 4000. This model's maximum context length is "
            "8192 tokens and your request has 5000 input tokens (4000 > 8192 - 5000).",
            TOO_MUCH,
        ),
        (
            "You passed 10000 input tokens and requested 100 output tokens. However, the model's context length is "
            "only 8192 tokens.",
            TOO_LONG,
        ),
        (
            "the request (10000 tokens) exceeds the available context size (8192 tokens), try increasing it",
            TOO_LONG,
        ),
        (
            "Prompt contains 10000 tokens and 0 draft tokens, too large for model with 8192 maximum context length",
            TOO_LONG,
        ),
        ("The input token count (10000) exceeds the maximum number of tokens allowed (8192).", TOO_LONG),
        ("This model's maximum prompt length is 8192 but the request contains 10000 tokens.", TOO_LONG),
        (
            "This endpoint's maximum context length is 8192 tokens. However, you requested about 9000 tokens "
            "(4000 of text input, 1000 of tool input, 4000 in the output).",
            TOO_MUCH,
        ),
        (
            "`inputs` tokens + `max_new_tokens` must be <= 8192. Given: 5000 `inputs` tokens and 4000 "
            "`max_new_tokens`",
            TOO_MUCH,
        ),
        (
            "Trying to keep the first 10000 tokens when context the overflows. However, the model is loaded with "
            "context length of only 8192 tokens",
            TOO_LONG,
        ),
        (TOO_LONG, TOO_LONG),
        (TOO_MUCH, TOO_MUCH),
        (
            "Your input exceeds the context window of this model.",
            "prompt is too long: Your input exceeds the context window of this model.",
        ),
    ],
)
def test_context_overflow_in_any_wording_is_a_sentence_agents_recover_on(wording: str, sentence: str) -> None:
    for status in (400, 413, 500):
        assert told(status, by_the_book(wording)) == (400, "invalid_request_error", sentence, {})


def test_a_code_alone_tells_of_context_overflow() -> None:
    body = by_the_book("Please reduce it", code="context_length_exceeded")
    assert told(400, body)[2] == "prompt is too long: Please reduce it"


@pytest.mark.parametrize(
    "message",
    [
        "max_tokens is too large: 32000. This model supports at most 16384 completion tokens",
        "Request too large for model on tokens per minute (TPM): Limit 6000, Requested 9000",
        "Unknown parameter: 'top_k'",
    ],
)
def test_other_refusals_are_not_taken_for_context_overflow(message: str) -> None:
    assert overflow_sentence(message, None) is None
