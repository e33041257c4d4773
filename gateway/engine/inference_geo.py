"""Where a request of a restricted workspace is to be served: what it names, else what the workspace prefers."""

from __future__ import annotations

import msgspec

from gateway.errors import InvalidRequest
from gateway.principal import ANYWHERE, Geography
from gateway.protocol.body import Body

_place = msgspec.json.Decoder(str | None)


def inference_geo(body: Body, geography: Geography) -> str:
    """What a provider is told, "" for nothing. Raises `InvalidRequest` for a place that the workspace forbids."""
    named = _named(body)
    if named is None:
        return "" if geography.default == ANYWHERE else geography.default
    if geography.allowed is not None and named not in geography.allowed:
        allowed = ", ".join(sorted(geography.allowed))
        raise InvalidRequest(
            f"inference_geo: {named[:60]!r} is not allowed in this workspace, only {allowed}"
        )
    return named


def _named(body: Body) -> str | None:
    try:
        return _place.decode(body.fields.get("inference_geo", b"null"))
    except (msgspec.ValidationError, msgspec.DecodeError):
        raise InvalidRequest("inference_geo: Input should be a valid string") from None
