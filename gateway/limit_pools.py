"""Pools: what is counted together. Each group of models is one, with limits of its own.

`limits` of a holder (a tier with its organization, a workspace, a key) hold for every group of models, in each for
itself. `group_limits` replaces single ones of them in the pool that it names; a null there lifts one.
"""

from __future__ import annotations

from collections.abc import Mapping

Limits = Mapping[str, int | None]
GroupLimits = Mapping[str, Limits]

DEFAULT = "default"  # models without a group
BATCH = "batch"  # what message batches send
TOKEN_COUNT = "token_count"  # counting tokens
RESERVED = frozenset({DEFAULT, BATCH, TOKEN_COUNT})

# What a pool has of `limits`; every other pool, a group of models, has all of them.
_INHERITED: dict[str, tuple[str, ...]] = {BATCH: (), TOKEN_COUNT: ("requests_per_minute",)}


def limits_of(pool: str, limits: Limits, group_limits: GroupLimits) -> dict[str, int | None]:
    """What one holder allows in this pool, null or absent where it says nothing."""
    inherited = _INHERITED.get(pool)
    base = limits if inherited is None else {name: limits[name] for name in inherited if name in limits}
    return {**base, **group_limits.get(pool, {})}


def merged(lower: GroupLimits, upper: GroupLimits) -> dict[str, dict[str, int | None]]:
    """One holder's `group_limits` from those of its tier and, over them one by one, its own."""
    return {pool: {**lower.get(pool, {}), **upper.get(pool, {})} for pool in {**lower, **upper}}
