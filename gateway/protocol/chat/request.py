"""What the gateway itself must know of a chat completions request; everything else is its provider's to judge."""

from __future__ import annotations

from typing import TypeVar

import msgspec

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.content import decoded
from gateway.protocol.anthropic.request import MAX_MESSAGES
from gateway.protocol.body import Body

T = TypeVar("T")


class StreamOptions(msgspec.Struct):
    include_usage: bool | None = None


_string = msgspec.json.Decoder(str)
_list = msgspec.json.Decoder(list[msgspec.Raw])
_list_or_null = msgspec.json.Decoder(list[msgspec.Raw] | None)
_boolean = msgspec.json.Decoder(bool | None)
_integer = msgspec.json.Decoder(int | None)
_stream_options = msgspec.json.Decoder(StreamOptions | None)


class ChatRequest(msgspec.Struct, frozen=True):
    """A checked `POST /v1/chat/completions`. `max_tokens` is None where the caller leaves the length open.

    `functions`: tools were given under the name they had until 2023, so calls must be told the same way.
    """

    body: Body
    model: str
    max_tokens: int | None = None
    stream: bool = False
    include_usage: bool = False
    functions: bool = False


def chat_request(body: Body) -> ChatRequest:
    """Raises `InvalidRequest` naming the first field that is missing, mistyped or out of range."""
    model = _model(body)
    _check_messages(body)
    if (optional(body, "n", _integer) or 1) != 1:
        raise InvalidRequest("n: only one choice is given per request, Input should be 1")
    options = optional(body, "stream_options", _stream_options) or StreamOptions()
    stream = bool(optional(body, "stream", _boolean))
    return ChatRequest(
        body,
        model,
        _max_tokens(body),
        stream,
        include_usage=stream and bool(options.include_usage),
        functions=bool(optional(body, "functions", _list_or_null)),
    )


def optional(body: Body, name: str, decoder: msgspec.json.Decoder[T]) -> T | None:
    """The value of a field, None where it is absent; raises `InvalidRequest` naming it."""
    value = body.fields.get(name)
    return None if value is None else decoded(value, name, decoder)


def _model(body: Body) -> str:
    model = _required(body, "model", _string)
    if not 1 <= len(model) <= 256:
        raise InvalidRequest("model: String should have 1 to 256 characters")
    return model


def _check_messages(body: Body) -> None:
    messages = _required(body, "messages", _list)
    if not messages:
        raise InvalidRequest("messages: at least one message is required")
    if len(messages) > MAX_MESSAGES:
        raise InvalidRequest(f"messages: List should have at most {MAX_MESSAGES} items")
    for position, message in enumerate(messages):
        if memoryview(message)[0] != 0x7B:  # an opening brace
            raise InvalidRequest(f"messages.{position}: Input should be an object")


def _max_tokens(body: Body) -> int | None:
    """The newer name counts where both are there."""
    told: int | None = None
    for name in ("max_tokens", "max_completion_tokens"):
        value = optional(body, name, _integer)
        if value is not None and value < 1:
            raise InvalidRequest(f"{name}: Input should be greater than or equal to 1")
        told = told if value is None else value
    return told


def _required(body: Body, name: str, decoder: msgspec.json.Decoder[T]) -> T:
    value = body.fields.get(name)
    if value is None:
        raise InvalidRequest(f"{name}: Field required")
    return decoded(value, name, decoder)
