"""The usage event: what a settled attempt tells the ledger, as it travels through the Valkey stream."""

from __future__ import annotations

import uuid

import msgspec

from gateway.token_usage import TokenUsage

FIELD = "event"


class UsageEvent(msgspec.Struct, frozen=True, omit_defaults=True):
    """One attempt at one provider; names and meaning as the columns of `models.UsageEvent`.

    `address` is the caller's, which no row of the ledger has; see `metering/key_uses.py`.
    `journal` is the owner of the journal that waits for the ledger to have it, if any does.
    """

    attempt_id: uuid.UUID
    request_id: str
    organization_id: uuid.UUID
    workspace_id: str
    api_key_id: str
    endpoint: str
    model_requested: str
    model: str
    provider: str
    upstream_model: str
    stream: bool
    status: int
    usage_source: str
    usage: TokenUsage
    latency_ms: int
    time_to_first_token_ms: int | None = None
    attempt: int = 1
    error_type: str = ""
    stop_reason: str = ""
    web_search_requests: int = 0
    service_tier: str = "standard"
    inference_geo: str = ""
    price_version: int | None = None
    user_agent: str = ""
    session_id: str = ""
    checked_ms: int | None = None
    admitted_ms: int | None = None
    address: str = ""
    journal: str = ""


class _Whose(msgspec.Struct, frozen=True):
    organization_id: uuid.UUID


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(UsageEvent)
encode = _encoder.encode
decode = _decoder.decode


_whose = msgspec.json.Decoder(_Whose)


def organization_of(event: bytes) -> uuid.UUID:
    """Whose an encoded event is."""
    return _whose.decode(event).organization_id


def addressed(event: bytes, journal: str) -> bytes:
    """An encoded event that is acknowledged to this journal from now on, whoever wrote it; what is none stays."""
    try:
        return encode(msgspec.structs.replace(decode(event), journal=journal))
    except msgspec.DecodeError:  # the drain puts it aside, and says so
        return event


def acknowledgements(journal: str) -> str:
    """The list in Valkey in which a drain tells a journal's owner what the ledger has: attempt ids of 16 bytes each."""
    return f"gw:acknowledged:{{{journal}}}"
