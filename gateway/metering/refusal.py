"""The refusal: why a request was turned away by a limit, as it travels through the Valkey stream of its shard.

It is a diagnosis and never the ledger: the streams (`shards.refusals_stream`) are capped, and what does not
fit is forgotten.
"""

from __future__ import annotations

import uuid
from typing import Literal

import msgspec

FIELD = "refusal"

# Of each stream, for `XADD ... MAXLEN ~`.
LONGEST = 50_000

Kind = Literal["rate_limit", "spend_limit", "credit"]
Holder = Literal["organization", "workspace", "user", "api_key"]


class LimitRefusal(msgspec.Struct, frozen=True, array_like=True):
    """A refused request and the limit that it met. Without names on the wire: new fields come last, with a default.

    `model` is the catalog's name and `pool` that of the group of models that is counted together. `limiter` is
    one of `LIMIT_NAMES`, or the period of a spend limit. `limit`, `needed` and `remaining` are in the limiter's
    unit, of money in cents; what remains may be negative. `retry_after_ms` is None where waiting cannot help.
    """

    request_id: str
    at: int  # Unix time in milliseconds
    organization_id: uuid.UUID
    workspace_id: str
    api_key_id: str
    model: str
    endpoint: str
    kind: Kind
    scope: Holder
    scope_id: str
    pool: str
    limiter: str
    limit: int
    needed: int
    remaining: int
    retry_after_ms: int | None = None
    spend_limit_id: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(LimitRefusal)
encode = _encoder.encode
decode = _decoder.decode
