"""What the gateway itself must know of a Responses request; the rest is read where it is translated."""

from __future__ import annotations

import msgspec

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.request import MAX_MESSAGES
from gateway.protocol.body import Body
from gateway.protocol.chat.request import optional

# They point at what OpenAI keeps for its callers. Nothing is kept here.
_STORED = {
    "previous_response_id": "this gateway stores no responses; send the whole conversation in `input`",
    "conversation": "this gateway stores no conversations; send the whole conversation in `input`",
    "prompt": "this gateway stores no prompt templates; send `instructions` and `input`",
}
_LOGPROBS = "message.output_text.logprobs"

_string = msgspec.json.Decoder(str | None)
_input = msgspec.json.Decoder(str | list[msgspec.Raw] | None)
_integer = msgspec.json.Decoder(int | None)
_boolean = msgspec.json.Decoder(bool | None)
_strings = msgspec.json.Decoder(list[str] | None)


class ResponsesRequest(msgspec.Struct, frozen=True):
    """A checked `POST /v1/responses`. `max_tokens` is None where the caller leaves the length open."""

    body: Body
    model: str
    max_tokens: int | None = None
    stream: bool = False


def responses_request(body: Body) -> ResponsesRequest:
    """Raises `InvalidRequest` naming the first field that is missing, mistyped or needs a store."""
    model = _model(body)
    _refuse_stored(body)
    _refuse_logprobs(body)
    _check_input(body)
    return ResponsesRequest(body, model, _max_tokens(body), bool(optional(body, "stream", _boolean)))


def _model(body: Body) -> str:
    model = optional(body, "model", _string)
    if model is None:
        raise InvalidRequest("model: Field required")
    if not 1 <= len(model) <= 256:
        raise InvalidRequest("model: String should have 1 to 256 characters")
    return model


def _refuse_stored(body: Body) -> None:
    for name, reason in _STORED.items():
        if bytes(body.fields.get(name, b"null")) != b"null":
            raise InvalidRequest(f"{name}: {reason}")
    if optional(body, "background", _boolean):
        raise InvalidRequest("background: answers are given while the caller waits; Input should be false")


def _refuse_logprobs(body: Body) -> None:
    if optional(body, "top_logprobs", _integer):
        raise InvalidRequest("top_logprobs: cannot be carried to this model's provider")
    if _LOGPROBS in (optional(body, "include", _strings) or []):
        raise InvalidRequest(f"include: '{_LOGPROBS}' cannot be carried to this model's provider")


def _check_input(body: Body) -> None:
    given = optional(body, "input", _input)
    if given is None:
        raise InvalidRequest("input: Field required")
    if not given:
        raise InvalidRequest("input: Input should not be empty")
    if isinstance(given, str):
        return
    if len(given) > MAX_MESSAGES:
        raise InvalidRequest(f"input: List should have at most {MAX_MESSAGES} items")
    for position, item in enumerate(given):
        if memoryview(item)[0] != 0x7B:  # an opening brace
            raise InvalidRequest(f"input.{position}: Input should be an object")


def _max_tokens(body: Body) -> int | None:
    tokens = optional(body, "max_output_tokens", _integer)
    if tokens is not None and tokens < 1:
        raise InvalidRequest("max_output_tokens: Input should be greater than or equal to 1")
    return tokens
