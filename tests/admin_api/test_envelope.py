"""Whatever goes wrong, and wherever: one envelope, in Anthropic's words."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from django.core.handlers.asgi import ASGIHandler
from django.http import HttpResponse
from django.test import Client

from tests.operations.asgi import Answer

pytestmark = pytest.mark.urls("tests.admin_api.echo")

ECHO, CHECKED = "/v1/organizations/echo", "/v1/organizations/checked"
UNEXPECTED = "An unexpected error has occurred in the gateway."

TOLD = {
    "gateway": (400, "invalid_request_error", "email: already a member"),
    "conflict": (429, "rate_limit_error", "Slowly."),
    "absent": (404, "not_found_error", "Not Found"),
    "absent_drf": (404, "not_found_error", "Not Found"),
    "forbidden": (403, "permission_error", "Permission denied."),
    "forbidden_drf": (403, "permission_error", "Your role does not allow it."),
    "nobody": (401, "authentication_error", "Authentication credentials were not provided."),
    "suspicious": (400, "invalid_request_error", "The request was not understood."),
    "no_database": (
        503,
        "api_error",
        "The gateway cannot reach its database at the moment. Please try again.",
    ),
    "whole": (400, "invalid_request_error", "The dates are out of order."),
    "mistake": (500, "api_error", UNEXPECTED),
}


@pytest.mark.parametrize("name", TOLD)
def test_what_a_view_raises_is_told_in_the_envelope(client: Client, name: str) -> None:
    answer = client.get(f"/v1/organizations/trouble/{name}")

    status, kind, message = TOLD[name]
    error = {"type": kind, "message": message}
    if name == "gateway":
        error["details"] = {"error_code": "already_member"}  # type: ignore[assignment]
    assert answer.status_code == status
    assert answer.json() == {"type": "error", "error": error, "request_id": answer.headers["request-id"]}


def test_an_error_brings_its_headers(client: Client) -> None:
    assert client.get("/v1/organizations/trouble/conflict").headers["retry-after"] == "3"


def test_a_mistake_of_ours_is_logged_with_its_request(
    client: Client, capfd: pytest.CaptureFixture[str]
) -> None:
    answer = client.get("/v1/organizations/trouble/mistake")

    lines = [line for line in capfd.readouterr().err.splitlines() if "request_failed" in line]
    assert len(lines) == 1
    assert "ZeroDivisionError" in lines[0] and answer.headers["request-id"] in lines[0]


# What is sent, and what is said about it.
WRONG: list[tuple[dict[str, Any], str]] = [
    ({}, "name: Field required"),
    ({"name": None}, "name: Input should not be null"),
    ({"name": ""}, "name: String should have at least 1 character"),
    ({"name": "a"}, "name: String should have at least 2 characters"),
    ({"name": "abcdef"}, "name: String should have at most 5 characters"),
    ({"name": ["a"]}, "name: Input should be a valid string"),
    ({"name": "ab", "role": "boss"}, 'role: "boss" is not a valid value; expected one of user, developer'),
    (
        {"name": "ab", "letter": "é" * 1000},
        f'letter: "{"é" * 60}" is not a valid value; expected one of A, B, C, D, E, F, G, H, I, J, K, L, ...',
    ),
    ({"name": "ab", "count": "many"}, "count: Input should be a valid integer"),
    ({"name": "ab", "count": 0}, "count: Input should be greater than or equal to 1"),
    ({"name": "ab", "count": 1001}, "count: Input should be less than or equal to 1000"),
    ({"name": "ab", "share": "half"}, "share: Input should be a valid number"),
    ({"name": "ab", "on": "maybe"}, "on: Input should be a valid boolean"),
    ({"name": "ab", "at": "soon"}, "at: Input should be a valid datetime such as 2026-11-26T00:00:00Z"),
    ({"name": "ab", "day": "soon"}, "day: Input should be a valid date such as 2026-11-26"),
    ({"name": "ab", "email": "nobody"}, "email: Input should be a valid email address"),
    ({"name": "ab", "id": "7"}, "id: Input should be a valid UUID"),
    ({"name": "ab", "tags": []}, "tags: Input should be an object"),
    ({"name": "ab", "names": "one"}, "names: Input should be a valid list"),
    ({"name": "ab", "names": []}, "names: List should have at least 1 item"),
    ({"name": "ab", "names": ["a", "b", "c"]}, "names: List should have at most 2 items"),
    ({"name": "ab", "names": ["a", ""]}, "names.1: String should have at least 1 character"),
    ({"name": "ab", "limits": ["a"]}, "limits.0: Input should be an object"),
    (
        {"name": "ab", "limits": [{"type": "a", "value": 1}, {"type": "b"}]},
        "limits.1.value: Field required",
    ),
]


@pytest.mark.parametrize(("sent", "said"), WRONG, ids=[said for _, said in WRONG])
def test_a_wrong_field_is_named_in_anthropics_words(client: Client, sent: dict[str, Any], said: str) -> None:
    answer = client.post(CHECKED, sent, content_type="application/json")

    assert (answer.status_code, _message(answer)) == (400, said)
    assert answer.json()["error"]["type"] == "invalid_request_error"


BODIES = {
    b"{": "The request body is not valid JSON",
    b"[1]": "The request body must be a JSON object.",
    b'{"name": NaN}': "The request body is not valid JSON",
    b'{"name": "\xff"}': "The request body is not valid UTF-8",
    b'{"name": "\\u0000"}': "name: String should not contain NUL characters",
    b'{"tags": [{}, {"a": "\\u0000"}]}': "tags.1.a: String should not contain NUL characters",
    b'{"tags": {"\\u0000": 1}}': "tags: String should not contain NUL characters",
    b'{"\\u0000": 1}': "body: String should not contain NUL characters",
    b'{"name": 1, "name": 2}': "name: repeated key",
    b'{"a": ' * 65 + b"1" + b"}" * 65: "The request body is nested more than 64 levels deep.",
    b'{"name": "\\ud800"}': "The request body is not valid JSON",
}


@pytest.mark.parametrize("body", BODIES, ids=BODIES.values())
def test_a_body_that_is_no_json_object_is_refused(client: Client, body: bytes) -> None:
    answer = client.post(ECHO, body, content_type="application/json")

    assert answer.status_code == 400
    assert _message(answer).startswith(BODIES[body])


def test_a_body_comes_in_as_it_was_sent(client: Client) -> None:
    sent = {"name": "Zoë 🦉", "large": 2**53 + 1, "nested": [{"a": None}], "share": 0.1}

    answer = client.post(ECHO, sent, content_type="application/json; charset=utf-8")

    assert answer.json() == sent


def test_no_body_is_an_empty_object(client: Client) -> None:
    assert client.generic("POST", ECHO, content_type="").json() == {}
    assert _message(client.post(CHECKED, content_type="application/json")) == "name: Field required"


@pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "", "a" * 5000])
def test_another_kind_of_content_is_refused(client: Client, content_type: str) -> None:
    answer = client.generic("POST", ECHO, b"name=a", content_type=content_type)

    assert (answer.status_code, _message(answer)) == (415, "content-type: expected application/json")


def test_a_compressed_body_is_refused(client: Client) -> None:
    answer = client.post(
        ECHO, b"\x1f\x8b", content_type="application/json", headers={"content-encoding": "gzip"}
    )

    assert answer.status_code == 415


def test_a_body_of_more_than_a_megabyte_is_refused(client: Client) -> None:
    fits, too_large = (
        client.post(ECHO, b'{"a": "' + b"a" * (size - 9) + b'"}', content_type="application/json")
        for size in (1024 * 1024, 1024 * 1024 + 1)
    )

    assert (fits.status_code, too_large.status_code) == (200, 413)
    assert too_large.json()["error"]["type"] == "request_too_large"


async def test_a_chunked_body_is_read_although_it_announces_no_length() -> None:
    answer = await chunked(b'{"na', b'me": "Ada"}')
    nothing = await chunked(b"")

    assert (answer.status, answer.json) == (200, {"name": "Ada"})
    assert (nothing.status, nothing.json) == (200, {})


def test_an_error_outside_of_any_view_is_told_in_the_envelope(client: Client) -> None:
    host = client.get(ECHO, headers={"host": "evil.example"})
    path = client.get("/v1/organizations/nothing")

    assert (host.status_code, _message(host)) == (400, "host: not a name of this gateway")
    assert (path.status_code, _message(path)) == (404, "Not Found")


async def chunked(*parts: bytes) -> Answer:
    """POST the parts to the echo through Django alone."""
    waiting = [{"type": "http.request", "body": part, "more_body": True} for part in parts]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})
    sent: list[dict[str, Any]] = []
    headers = {"host": "localhost", "content-type": "application/json", "transfer-encoding": "chunked"}

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else await asyncio.Future()

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "method": "POST",
        "path": ECHO,
        "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }
    await ASGIHandler()(scope, receive, send)
    return Answer(sent[0]["status"], {}, b"".join(message["body"] for message in sent[1:]))


def _message(answer: HttpResponse) -> str:
    body = answer.json()
    assert (body["type"], body["request_id"]) == ("error", answer.headers["request-id"])
    return str(body["error"]["message"])
