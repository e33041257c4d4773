"""Chat completions that fail: the official `openai` SDK gets an error that it knows, and never a silent end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import openai
import pytest
from openai.types.chat import ChatCompletionChunk

from gateway.credentials import new_secret
from tests import openai_provider as chat
from tests import upstream as provider
from tests.data_plane.house import HASTY, HASTY_TRANSLATED, REFUSED, SCRIPTED, TRANSLATED, House
from tests.data_plane.openai_sdk import (
    BOTH,
    EVERY,
    FAULTS,
    begun,
    chat_of,
    client_of,
    post_chat,
    text_of,
    the_rest,
)
from tests.data_plane.said import HELLO
from tests.upstream import LAST_CHUNK, Close, Hang, Pause, Reset, Script, Send, Upstream, chunk, reply


@pytest.fixture(scope="module")
def client(house: House) -> Iterator[openai.OpenAI]:
    with client_of(house) as client:
        yield client


# --- Refusals ----------------------------------------------------------------------------------------------


def test_a_wrong_key_is_called_invalid(house: House) -> None:
    with client_of(house, new_secret("api")) as client, pytest.raises(openai.AuthenticationError) as caught:
        client.chat.completions.create(**chat_of(SCRIPTED))

    assert (caught.value.status_code, caught.value.code) == (401, "invalid_api_key")
    assert caught.value.type == "invalid_request_error"
    assert caught.value.request_id == caught.value.response.headers["request-id"]


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.chat.completions.create(**chat_of("gpt-from-nowhere"))

    assert (caught.value.code, caught.value.type) == ("model_not_found", "invalid_request_error")
    assert "gpt-from-nowhere" in caught.value.message


def test_a_denied_model_is_forbidden(house: House) -> None:
    house.office.wish("organization", name="Denied chat", tier="enterprise", deny_models=[TRANSLATED])
    key = house.office.wish("api_key", organization="Denied chat")["secret"]

    with client_of(house, key) as client, pytest.raises(openai.PermissionDeniedError) as caught:
        client.chat.completions.create(**chat_of(TRANSLATED))

    assert (caught.value.status_code, caught.value.type) == (403, "permission_error")


def test_a_body_that_is_too_large_is_refused(house: House) -> None:
    answer = post_chat(house, b'{"model":"x","messages":[' + b" " * (33 << 20) + b"]}")

    assert (answer.status, answer.json["error"]["type"]) == (413, "invalid_request_error")
    assert answer.json["error"].keys() == {"message", "type", "param", "code"}
    assert answer.header("x-request-id") == answer.header("request-id")


TOOL = {"type": "function", "function": {"name": "run"}}
MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"n": 2}, "n"),
    ({"messages": []}, "messages"),
    ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
    ({"max_tokens": 0}, "max_tokens"),
    ({"temperature": 3}, "temperature"),
    ({"logprobs": True}, "logprobs"),
    ({"reasoning_effort": "much"}, "reasoning_effort"),
    ({"response_format": {"type": "xml"}}, "response_format.type"),
    ({"tools": [{"type": "custom", "custom": {"name": "x"}}]}, "tools.0.type"),
    (
        {"tools": [TOOL], "tool_choice": {"type": "function", "function": {"name": "no"}}},
        "tool_choice.function.name",
    ),
    (
        {
            "messages": [
                {
                    "role": "user",
                    "content": [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}],
                }
            ]
        },
        "messages.0.content.0.type",
    ),
    ({"messages": [{"role": "tool", "tool_call_id": "x", "content": "y"}]}, "messages.0.tool_call_id"),
]


@pytest.mark.parametrize(("fields", "param"), MISTAKES, ids=[param for _, param in MISTAKES])
def test_a_mistake_is_named_by_its_parameter(
    client: openai.OpenAI, upstream: Upstream, fields: dict[str, Any], param: str
) -> None:
    reached = len(upstream.log)

    with pytest.raises(openai.BadRequestError) as caught:
        client.chat.completions.create(**{**chat_of(SCRIPTED), **fields})

    assert (caught.value.status_code, caught.value.param) == (400, param)
    assert len(upstream.log) == reached


def test_more_than_one_choice_is_refused_for_every_provider(client: openai.OpenAI) -> None:
    for model in EVERY:
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(**chat_of(model, n=2))
        assert caught.value.param == "n"


@pytest.mark.parametrize("prefix", ["/v1", "/v1/v1"])
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_an_unknown_method_is_told_in_openais_envelope(house: House, prefix: str, method: str) -> None:
    answer = house.get(f"{prefix}/chat/completions", method=method, headers=())

    assert (answer.status, answer.header("allow")) == (405, "POST")
    assert answer.json == {
        "error": {
            "message": "Method Not Allowed",
            "type": "invalid_request_error",
            "param": None,
            "code": None,
        }
    }


@pytest.mark.parametrize("suffix", ["/v1", "/v1/", "/v1/v1"])
def test_a_base_url_that_says_v1_once_or_twice(house: House, suffix: str) -> None:
    with client_of(house, path=suffix) as client:
        assert client.chat.completions.create(**chat_of(SCRIPTED)).choices[0].finish_reason == "stop"
        assert (
            list(client.chat.completions.create(**chat_of(TRANSLATED, stream=True)))[-1].model == TRANSLATED
        )


# --- Providers that fail -----------------------------------------------------------------------------------

OVERFLOW = (
    "This model's maximum context length is 128000 tokens. However, your messages resulted in 130000 tokens."
)
PROVIDERS_WORDS: list[tuple[str, int, Any, int, str, str | None]] = [
    # model, the provider's status and body, then what the client is told: status, type, code
    (SCRIPTED, 400, provider.error("invalid_request_error", "x: no"), 400, "invalid_request_error", None),
    (
        SCRIPTED,
        400,
        provider.error("invalid_request_error", "prompt is too long: 9 tokens > 8 maximum"),
        400,
        "invalid_request_error",
        "context_length_exceeded",
    ),
    (SCRIPTED, 401, provider.error("authentication_error", "x"), 500, "server_error", None),
    (SCRIPTED, 429, provider.error("rate_limit_error", "x"), 429, "rate_limit_error", "rate_limit_exceeded"),
    (SCRIPTED, 500, provider.error("api_error", "x"), 500, "server_error", None),
    (SCRIPTED, 529, provider.error("overloaded_error", "x"), 503, "server_error", "overloaded"),
    (TRANSLATED, 400, chat.error("Bad", code="odd"), 400, "invalid_request_error", "odd"),
    (
        TRANSLATED,
        400,
        chat.error(OVERFLOW, code="context_length_exceeded"),
        400,
        "invalid_request_error",
        "context_length_exceeded",
    ),
    (TRANSLATED, 401, chat.error("x"), 500, "server_error", None),
    (TRANSLATED, 404, chat.error("No such thing"), 404, "invalid_request_error", None),
    (TRANSLATED, 429, chat.error("x"), 429, "rate_limit_error", "rate_limit_exceeded"),
    (TRANSLATED, 500, b"<html>", 500, "server_error", None),
    (TRANSLATED, 503, chat.error("x"), 503, "server_error", "overloaded"),
]


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("model", "status", "said", "told", "kind", "code"), PROVIDERS_WORDS)
def test_a_providers_refusal_wears_openais_envelope(
    client: openai.OpenAI,
    upstream: Upstream,
    model: str,
    status: int,
    said: Any,
    told: int,
    kind: str,
    code: str | None,
    stream: bool,
) -> None:
    script = upstream.script(reply(status, said))

    with pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(**chat_of(model, script, stream=stream))

    assert (caught.value.status_code, caught.value.type, caught.value.code) == (told, kind, code)


def test_a_relayed_refusal_of_the_callers_mistake_is_the_providers_byte_for_byte(
    house: House, upstream: Upstream
) -> None:
    said = (
        b'{ "error" : {"message":"Bad","type":"invalid_request_error","param":"x","code":null, "more":1} }\n'
    )
    script = upstream.script(reply(400, said))

    answer = post_chat(house, chat_of(TRANSLATED, script))

    assert (answer.status, answer.body) == (400, said)
    assert answer.header("content-type") == "application/json"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("model", [HASTY, HASTY_TRANSLATED])
@pytest.mark.parametrize(
    ("steps", "status"),
    [
        ([Close()], 500),
        ([Reset()], 500),
        ([Hang()], 504),
        (reply(200, b"<html>", content_type="text/html"), 500),
        (reply(200, b'{"type":"message","usage":{}}'), 500),
        (reply(200, b""), 500),
    ],
    ids=["closes", "resets", "hangs", "HTML", "no message", "nothing"],
)
def test_before_the_first_byte_a_fault_is_an_error_with_a_status(
    house: House, upstream: Upstream, model: str, stream: bool, steps: Script, status: int
) -> None:
    script = upstream.script(steps)

    answer = post_chat(house, chat_of(model, script, stream=stream))

    assert (answer.status, answer.complete) == (status, True)
    assert answer.json["error"]["type"] == "server_error"
    assert house.usage(answer.header("request-id")).status == status


def test_a_provider_that_is_not_there_is_an_error(client: openai.OpenAI) -> None:
    with pytest.raises(openai.InternalServerError) as caught:
        client.chat.completions.create(**chat_of(REFUSED))

    assert (caught.value.status_code, caught.value.type) == (500, "server_error")


@pytest.mark.parametrize("model", [HASTY, HASTY_TRANSLATED])
@pytest.mark.parametrize("fault", FAULTS)
def test_after_the_first_byte_a_fault_is_an_error_frame_and_never_a_silent_end(
    house: House, upstream: Upstream, model: str, fault: str
) -> None:
    script = upstream.script(begun(model), Pause(0.1), FAULTS[fault])

    answer = post_chat(house, chat_of(model, script, stream=True))
    event = house.usage(answer.header("request-id"))
    last = json.loads(answer.body.decode().strip().split("\n\n")[-1].removeprefix("data: "))

    assert (answer.status, answer.complete, b"[DONE]" in answer.body) == (200, True, False)
    assert (last["error"]["type"], last["error"]["param"]) == ("server_error", None)
    assert b" from" in answer.body
    assert (event.usage_source, event.status) == ("estimated", 504 if fault == "hangs" else 500)


@pytest.mark.parametrize(
    ("model", "frame", "message"),
    [
        (SCRIPTED, provider.frame(provider.error("overloaded_error", "Busy")), "Busy"),
        (
            TRANSLATED,
            chat.frame(chat.error("Our account", "server_error", "overloaded")),
            "The provider is overloaded.",
        ),
    ],
    ids=BOTH,
)
def test_an_error_within_a_stream_is_raised_by_the_sdk(
    client: openai.OpenAI, upstream: Upstream, model: str, frame: bytes, message: str
) -> None:
    script = upstream.script(begun(model), Pause(0.1), Send(chunk(frame)), Send(LAST_CHUNK))
    seen: list[ChatCompletionChunk] = []

    with pytest.raises(openai.APIError) as caught:
        seen.extend(client.chat.completions.create(**chat_of(model, script, stream=True)))

    assert (caught.value.message, caught.value.code) == (message, "overloaded")
    assert (caught.value.type, caught.value.param) == ("server_error", None)
    assert text_of(seen) == list(HELLO.text[: len(text_of(seen))])
    assert text_of(seen)


@pytest.mark.parametrize("model", BOTH)
def test_silence_is_filled_with_comments_that_the_sdk_passes_over(
    house: House, client: openai.OpenAI, upstream: Upstream, model: str
) -> None:
    script = upstream.script(begun(model), Pause(0.6), the_rest(model))

    raw = post_chat(house, chat_of(model, script, stream=True))
    chunks = list(client.chat.completions.create(**chat_of(model, script, stream=True)))

    assert raw.body.count(b": ping\n\n") >= 1
    assert text_of(chunks) == list(HELLO.text)
    assert all(chunk.choices for chunk in chunks)


def test_an_empty_body_and_one_that_is_no_json_are_told_in_openais_envelope(house: House) -> None:
    for raw in (b"", b"{", b"[]", b"\xff"):
        answer = post_chat(house, raw)

        assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
