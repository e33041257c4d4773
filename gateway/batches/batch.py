"""A message batch as its owner sees it: Anthropic's object, made from the row."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Any

import msgspec

ENDED = "ended"

# What `batch_of` needs of a row.
COLUMNS = (
    "id, status, total, succeeded, errored, canceled, expired, created_at, expires_at, ended_at, "
    "cancel_initiated_at, archived_at"
)

_encoder = msgspec.json.Encoder()


class RequestCounts(msgspec.Struct, frozen=True):
    """All items are `processing` until the whole batch has ended; the five always make up its total."""

    processing: int
    succeeded: int = 0
    errored: int = 0
    canceled: int = 0
    expired: int = 0


class Batch(msgspec.Struct, frozen=True):
    """Times are RFC 3339 in UTC. `results_url` is null until there are results, and the gateway's own."""

    id: str
    processing_status: str
    request_counts: RequestCounts
    created_at: str
    expires_at: str
    ended_at: str | None
    cancel_initiated_at: str | None
    archived_at: str | None
    results_url: str | None
    type: str = "message_batch"

    def wire(self) -> bytes:
        """The JSON object."""
        return _encoder.encode(self)


def batch_of(row: Mapping[str, Any], address: str) -> Batch:
    """From a row of `message_batch` with `COLUMNS`. `address` is the gateway's own, as its caller can reach it."""
    ended = row["status"] == ENDED
    return Batch(
        id=row["id"],
        processing_status=row["status"],
        request_counts=_counts(row) if ended else RequestCounts(row["total"]),
        created_at=told(row["created_at"]),
        expires_at=told(row["expires_at"]),
        ended_at=_told(row["ended_at"]),
        cancel_initiated_at=_told(row["cancel_initiated_at"]),
        archived_at=_told(row["archived_at"]),
        results_url=f"{address}/v1/messages/batches/{row['id']}/results" if ended else None,
    )


def _counts(row: Mapping[str, Any]) -> RequestCounts:
    return RequestCounts(0, row["succeeded"], row["errored"], row["canceled"], row["expired"])


def told(time: datetime.datetime) -> str:
    """RFC 3339 in UTC, to the microsecond."""
    return time.astimezone(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _told(time: datetime.datetime | None) -> str | None:
    return None if time is None else told(time)
