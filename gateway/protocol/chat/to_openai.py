"""A chat completions request for a provider that speaks the same dialect: the caller's bytes, under another name."""

from __future__ import annotations

import msgspec

from gateway.protocol.chat.request import ChatRequest

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw] | None)
_TRUE = msgspec.Raw(b"true")


def relayed_request(request: ChatRequest, *, model: str, ask_usage: bool = True) -> bytes:
    """The body with only the model's name changed and, in a stream, the usage asked for.

    The ledger needs the usage; `ask_usage` is False for a provider that refuses `stream_options`.
    """
    changes = {"model": msgspec.json.encode(model)}
    if request.stream and ask_usage and not request.include_usage:
        told = request.body.fields.get("stream_options", b"null")
        changes["stream_options"] = msgspec.json.encode(
            {**(_fields.decode(told) or {}), "include_usage": _TRUE}
        )
    return request.body.with_values(changes)
