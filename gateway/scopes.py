"""What a request's limits are, compiled for the admission script: made once for each key, workspace and pool."""

from __future__ import annotations

import uuid

import msgspec

from gateway.limit_pools import BATCH, GroupLimits, Limits, limits_of, organization_limits_of
from gateway.limiters import CONCURRENT, ENQUEUED, LIMITERS
from gateway.shards import shard_of, usage_stream

PLACES = ":places"
ORGANIZATION = "organization"


class Holder(msgspec.Struct, frozen=True):
    """An organization (with its tier), a workspace or a key, and what it allows; a null limit is none."""

    kind: str
    id: str
    limits: Limits
    group_limits: GroupLimits


class Queue(msgspec.Struct, frozen=True):
    """A holder of batches, and how many items of them may wait or run at once."""

    kind: str
    id: str
    most: int


class Scope(msgspec.Struct, frozen=True):
    """One holder of limits in one pool. `key` names its state in Valkey; `sizes` follow `LIMITERS`, 0 is no limit."""

    kind: str
    id: str
    key: str
    sizes: tuple[int, ...]
    concurrent: int

    def limit(self, name: str) -> int:
        return self.concurrent if name == CONCURRENT else self.sizes[_PLACES[name]]


class Pool:
    """The scopes of one key in one workspace and one pool, the widest first.

    `used` are the places in `LIMITERS` that any of them limits; `keys` and `rules` are what the scripts are told of all
    that. `open_key` holds the leases of everything that the organization has under way, `usage_key` its settled usage.
    """

    __slots__ = ("keys", "name", "open_key", "organization_id", "rules", "scopes", "usage_key", "used")

    def __init__(self, name: str, organization_id: uuid.UUID, scopes: tuple[Scope, ...]) -> None:
        self.name = name
        self.organization_id = organization_id
        self.scopes = scopes
        self.open_key = open_key(organization_id)
        self.usage_key = usage_stream(shard_of(organization_id))
        self.used = tuple(n for n in range(len(LIMITERS)) if any(scope.sizes[n] for scope in scopes))
        self.keys = (self.open_key, *(key for scope in scopes for key in (scope.key, places_of(scope))))
        limiters = [LIMITERS[n] for n in self.used]
        self.rules: tuple[bytes, ...] = tuple(
            str(word).encode()
            for word in (
                len(scopes),
                len(limiters),
                *(part for limiter in limiters for part in (limiter.field, limiter.window_ms)),
                *(size for scope in scopes for size in (*self.sizes(scope), scope.concurrent)),
            )
        )

    def sizes(self, scope: Scope) -> list[int]:
        """Of the limiters that are used."""
        return [scope.sizes[n] for n in self.used]


class Pools:
    """All pools of one key in one workspace."""

    __slots__ = ("_holders", "_organization_id", "_pools")

    def __init__(self, organization_id: uuid.UUID, holders: tuple[Holder, ...]) -> None:
        self._organization_id = organization_id
        self._holders = holders
        self._pools: dict[str, Pool] = {}

    def of(self, name: str) -> Pool:
        pool = self._pools.get(name)
        if pool is None:
            pool = self._pools[name] = self._made(name)
        return pool

    def queues(self) -> tuple[Queue, ...]:
        """Whose batches may have how many items, the widest first."""
        sized = [(holder, self._limits(holder, BATCH).get(ENQUEUED)) for holder in self._holders]
        return tuple(Queue(holder.kind, holder.id, most) for holder, most in sized if most)

    def _limits(self, holder: Holder, pool: str) -> dict[str, int | None]:
        of = organization_limits_of if holder.kind == ORGANIZATION else limits_of
        return of(pool, holder.limits, holder.group_limits)

    def _made(self, name: str) -> Pool:
        """The organization always, the others where they have limits."""
        widest, *others = [self._scope(holder, name) for holder in self._holders]
        limited = [scope for scope in others if scope.concurrent or any(scope.sizes)]
        return Pool(name, self._organization_id, (widest, *limited))

    def _scope(self, holder: Holder, pool: str) -> Scope:
        limits = self._limits(holder, pool)
        return Scope(
            holder.kind,
            holder.id,
            state_key(self._organization_id, pool, holder.kind, holder.id),
            tuple(limits.get(limiter.name) or 0 for limiter in LIMITERS),
            limits.get(CONCURRENT) or 0,
        )


def state_key(organization_id: uuid.UUID, pool: str, kind: str, holder_id: str) -> str:
    """Where Valkey has the state of one holder's limits in one pool."""
    return f"gw:{{{shard_of(organization_id)}}}:limit:{organization_id}:{pool}:{kind}:{holder_id}"


def open_key(organization_id: uuid.UUID) -> str:
    """Where the leases of everything are kept that an organization has under way."""
    return f"gw:{{{shard_of(organization_id)}}}:open:{organization_id}"


def places_of(scope: Scope) -> str:
    """Where the leases of a scope's concurrent requests are kept."""
    return scope.key + PLACES


_PLACES = {limiter.name: n for n, limiter in enumerate(LIMITERS)}
