"""What the gateway itself must know of a request body; everything else is the provider's to judge.

Wording follows Anthropic's API, `field: what is wrong`, because clients match on it.
"""

from __future__ import annotations

from typing import TypeVar

import msgspec

from gateway.errors import InvalidRequest
from gateway.protocol.body import Body

MAX_MESSAGES = 100_000

T = TypeVar("T")

_string = msgspec.json.Decoder(str)
_integer = msgspec.json.Decoder(int)
_boolean = msgspec.json.Decoder(bool)
_list = msgspec.json.Decoder(list[msgspec.Raw])


class MessageRequest(msgspec.Struct, frozen=True):
    """A checked `POST /v1/messages`, or a count of its tokens (then without output and stream)."""

    body: Body
    model: str
    max_tokens: int = 0
    stream: bool = False


def message_request(body: Body) -> MessageRequest:
    """Raises `InvalidRequest` naming the first field that is missing, mistyped or out of range."""
    model = _model(body)
    max_tokens = _required(body, "max_tokens", _integer, "a valid integer")
    if max_tokens < 0:
        raise InvalidRequest("max_tokens: Input should be greater than or equal to 0")
    _check_messages(body)
    stream = _boolean_or_false(body, "stream")
    return MessageRequest(body, model, max_tokens, stream)


def count_request(body: Body) -> MessageRequest:
    """As `message_request`, for a count: no `max_tokens`, no `stream`."""
    model = _model(body)
    _check_messages(body)
    return MessageRequest(body, model)


def _model(body: Body) -> str:
    model = _required(body, "model", _string, "a valid string")
    if not model:
        raise InvalidRequest("model: String should have at least 1 character")
    if len(model) > 256:
        raise InvalidRequest("model: String should have at most 256 characters")
    return model


def _check_messages(body: Body) -> None:
    messages = _required(body, "messages", _list, "a valid list")
    if not messages:
        raise InvalidRequest("messages: at least one message is required")
    if len(messages) > MAX_MESSAGES:
        raise InvalidRequest(f"messages: List should have at most {MAX_MESSAGES} items")
    for position, message in enumerate(messages):
        if memoryview(message)[0] != 0x7B:  # an opening brace
            raise InvalidRequest(f"messages.{position}: Input should be an object")


def _boolean_or_false(body: Body, name: str) -> bool:
    return name in body.fields and _required(body, name, _boolean, "a valid boolean")


def _required(body: Body, name: str, decoder: msgspec.json.Decoder[T], expected: str) -> T:
    value = body.fields.get(name)
    if value is None:
        raise InvalidRequest(f"{name}: Field required")
    try:
        return decoder.decode(value)
    except (msgspec.ValidationError, msgspec.DecodeError):
        raise InvalidRequest(f"{name}: Input should be {expected}") from None
