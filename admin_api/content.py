"""What goes in and out: JSON objects, guarded like the data plane's; `Accept` decides nothing, as SDKs send any."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, BinaryIO

import msgspec
from rest_framework.negotiation import BaseContentNegotiation, DefaultContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from gateway.errors import InvalidRequest, TooLarge, UnsupportedEncoding
from gateway.protocol import body

MAX_BYTES = 1024 * 1024


class ObjectParser(BaseParser):
    """Raises `InvalidRequest`, `TooLarge` or `UnsupportedEncoding`; no bytes at all are an empty object.

    What PostgreSQL cannot hold is refused here, whichever field would take it.
    """

    media_type = "application/json"

    def parse(
        self, stream: BinaryIO, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> dict[str, object]:
        request: Request = (parser_context or {})["request"]
        if request.headers.get("content-encoding", "identity").lower() not in ("identity", ""):
            raise UnsupportedEncoding("content-encoding: compressed requests are not supported")
        raw = stream.read(MAX_BYTES + 1)
        if len(raw) > MAX_BYTES:
            raise TooLarge(f"Request exceeds the maximum allowed number of bytes ({MAX_BYTES}).")
        try:
            return msgspec.json.decode(body.parse(raw).raw, type=dict[str, object]) if raw else {}
        except body.HoldsNul:
            place = ".".join(next(_nul_in(msgspec.json.decode(raw)))) or "body"
            raise InvalidRequest(f"{place[:100]}: String should not contain NUL characters") from None


def _nul_in(value: object) -> Iterator[tuple[str, ...]]:
    """Where strings with a NUL stand; of a key, where its object does. Nesting has been bounded before."""
    if isinstance(value, str):
        if "\x00" in value:
            yield ()
        return
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, one in inner:
        if isinstance(name, str) and "\x00" in name:
            yield ()
        yield from ((str(name), *rest) for rest in _nul_in(one))


class AnyAccept(BaseContentNegotiation):
    """One renderer for everybody; the parser by `content-type`."""

    def select_parser(self, request: Request, parsers: Sequence[BaseParser]) -> BaseParser | None:
        return DefaultContentNegotiation().select_parser(request, parsers)

    def select_renderer(
        self, request: Request, renderers: Sequence[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type
