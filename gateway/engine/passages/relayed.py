"""An Anthropic request to a provider that speaks the same: the bytes go through, both ways."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import msgspec

from gateway.engine.passages.passage import Whole
from gateway.engine.provider_error import ProviderError
from gateway.errors import GatewayError, InternalError, Overloaded, RateLimited, UpstreamTimeout
from gateway.protocol.anthropic import errors as wire_errors
from gateway.protocol.anthropic import thinking
from gateway.protocol.anthropic.relay import StreamReader, read_message
from gateway.protocol.body import Body

OUR_CREDENTIALS = "The provider refused the gateway's own credentials."
OURS = {401, 402, 403}  # trouble of the operator's provider key, never shown to a tenant


class Relayed:
    """`model` is the provider's name of it. Thinking that nobody signed, or a provider whose signatures (`foreign`)
    this one refuses, is left out. `inference_geo` is put into the body, unless it is ""."""

    content_type = None

    def __init__(
        self,
        body: Body,
        *,
        endpoint: str,
        model: str,
        request_id: str,
        foreign: Collection[str],
        inference_geo: str = "",
    ) -> None:
        self.endpoint = endpoint
        self.dropped: tuple[str, ...] = ()
        self._request_id = request_id
        values: dict[str, bytes] = {}
        if foreign or thinking.has_unsigned(body.raw):
            values, self.dropped = thinking.without_foreign(body, foreign)
        if inference_geo:
            values = {**values, "inference_geo": msgspec.json.encode(inference_geo)}
        if values:
            self.body = body.with_values({"model": msgspec.json.encode(model), **values})
        else:
            self.body = body.with_string("model", model)

    def whole(self, body: bytes) -> Whole | None:
        message = read_message(body)
        return None if message is None else Whole(body, message.usage, message.stop_reason)

    def reader(self) -> StreamReader:
        return StreamReader()

    def refusal(self, status: int, body: bytes, headers: Mapping[str, str]) -> GatewayError:
        """The provider's own words for the caller's mistakes, ours for the operator's."""
        detail = wire_errors.read(body)
        if status in OURS:
            return InternalError(OUR_CREDENTIALS)
        if status < 400:
            return InternalError(f"The provider answered with status {status}.")
        if detail is None:
            return _without_envelope(status, dict(headers))
        return ProviderError(status, body, detail.type, detail.message, dict(headers), dialect="anthropic")

    def error_event(self, error_type: str, message: str) -> bytes:
        return wire_errors.error_event(error_type, message, self._request_id)


def _without_envelope(status: int, headers: dict[str, str]) -> GatewayError:
    """An error page of some proxy on the way, told in Anthropic's terms."""
    if status == 429:
        return RateLimited("The provider is limiting requests.", headers=headers)
    if status in (408, 504):
        return UpstreamTimeout("The provider did not answer in time.", headers=headers)
    if status in (503, 529):
        return Overloaded("The provider is overloaded.", headers=headers)
    return InternalError(
        f"The provider answered with status {status} and no error that can be read.", headers=headers
    )
