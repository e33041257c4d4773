"""Pools: what is counted together. Each group of models is one, with limits of its own.

`limits` of a holder (a tier with its organization, a workspace, a key) hold for every group of models, in each for
itself. `group_limits` replaces single ones of them in the pool that it names; a null there lifts one.
"""

from __future__ import annotations

from collections.abc import Mapping

from gateway.limiters import CONCURRENT, ENQUEUED, LIMIT_NAMES

Limits = Mapping[str, int | None]
GroupLimits = Mapping[str, Limits]

DEFAULT = "default"  # models without a group
BATCH = "batch"  # what message batches send
TOKEN_COUNT = "token_count"  # counting tokens
RESERVED = frozenset({DEFAULT, BATCH, TOKEN_COUNT})

# What a pool has of `limits`; every other pool, a group of models, has all but what is only of batches.
_INHERITED: dict[str, tuple[str, ...]] = {BATCH: (ENQUEUED,), TOKEN_COUNT: ("requests_per_minute",)}
_OF_MODELS = tuple(name for name in LIMIT_NAMES if name != ENQUEUED)
_OF_COUNTING = ("requests_per_minute", CONCURRENT)  # counting uses no tokens

# What holds for an organization of which nothing is said: batches must not take all that live traffic lives from.
_DEFAULTS: dict[str, Limits] = {BATCH: {CONCURRENT: 50, ENQUEUED: 100_000}}


def names_in(pool: str) -> tuple[str, ...]:
    """The limits that a pool can have."""
    return {BATCH: LIMIT_NAMES, TOKEN_COUNT: _OF_COUNTING}.get(pool, _OF_MODELS)


def limits_of(pool: str, limits: Limits, group_limits: GroupLimits) -> dict[str, int | None]:
    """What one holder allows in this pool, null or absent where it says nothing."""
    base = {name: limits[name] for name in _INHERITED.get(pool, _OF_MODELS) if name in limits}
    return {**base, **group_limits.get(pool, {})}


def organization_limits_of(pool: str, limits: Limits, group_limits: GroupLimits) -> dict[str, int | None]:
    """The same of an organization, for whom some pools have limits even where nothing is said; a null lifts those."""
    return {**_DEFAULTS.get(pool, {}), **limits_of(pool, limits, group_limits)}


def merged(lower: GroupLimits, upper: GroupLimits) -> dict[str, dict[str, int | None]]:
    """One holder's `group_limits` from those of its tier and, over them one by one, its own."""
    return {pool: {**lower.get(pool, {}), **upper.get(pool, {})} for pool in {**lower, **upper}}
