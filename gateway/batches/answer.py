"""What a batch's owner reads of an answer: the message, priced as part of a batch."""

from __future__ import annotations

from typing import Any

import msgspec

from gateway.price import BATCH
from gateway.protocol import body as guarded

_usage = msgspec.json.Decoder(dict[str, Any])


def in_batch(message: bytes) -> bytes:
    """The same bytes with `usage.service_tier: batch`, whatever tier its provider served it in."""
    body = guarded.parse(message)
    usage = _usage.decode(body.fields["usage"])
    if usage.get("service_tier") == BATCH:
        return message
    return body.with_values({"usage": msgspec.json.encode({**usage, "service_tier": BATCH})})
