"""Shards: tenants share this many streams of each kind in Valkey, so that a cluster can spread them."""

from __future__ import annotations

import uuid

SHARDS = 16


def shard_of(organization_id: uuid.UUID) -> int:
    """The same organization is always in the same shard."""
    return organization_id.int % SHARDS


def usage_stream(shard: int) -> str:
    return f"gw:{{{shard}}}:usage"


def refusals_stream(shard: int) -> str:
    return f"gw:{{{shard}}}:refusals"
