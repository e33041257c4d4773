"""Checks a mapping of limits, or one of pools with limits each, at the door of an action."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from admin_api.changes import Change
from gateway.errors import InvalidRequest
from gateway.limit_pools import GroupLimits, names_in
from gateway.limiters import LIMIT_NAMES

LARGEST = 1_000_000_000_000  # Lua's numbers in the limiter stay exact far beyond this
MOST_TOLD = 20  # pools that a refusal names


def check_limits(
    limits: Mapping[str, int | None],
    *,
    lifting: bool = False,
    field: str = "limits",
    names: Sequence[str] = LIMIT_NAMES,
) -> dict[str, int | None]:
    """The limits as they are stored. `lifting` allows None, which lifts a limit set further up; `names` are those that
    there can be, such as `names_in` a pool."""
    for name, value in limits.items():
        if name not in names:
            raise InvalidRequest(f"{field}.{name[:60]}: {_unknown(name)}; expected one of {', '.join(names)}")
        if value is None and lifting:
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= LARGEST:
            raise InvalidRequest(f"{field}.{name}: expected a whole number from 1 to {LARGEST}")
    return {name: limits[name] for name in LIMIT_NAMES if name in limits}


def _unknown(name: str) -> str:
    return "only message batches have this limit" if name in LIMIT_NAMES else "unknown limit"


def check_group_limits(group_limits: GroupLimits, pools: Collection[str]) -> dict[str, dict[str, int | None]]:
    """The limits by pool as they are stored; a pool of which nothing is said is left out.

    Raises `InvalidRequest` for a pool that is not among those that there are.
    """
    checked: dict[str, dict[str, int | None]] = {}
    for pool, limits in sorted(group_limits.items()):
        if pool not in pools:
            raise InvalidRequest(f"group_limits.{pool[:60]}: {no_such_pool(pool, pools)}")
        field = f"group_limits.{pool}"
        checked[pool] = check_limits(limits, lifting=True, field=field, names=names_in(pool))
    return {pool: limits for pool, limits in checked.items() if limits}


def group_changes(old: GroupLimits, new: GroupLimits, absent: str = "as in limits") -> list[Change]:
    """Each limit of a pool that differs, as `group_limits.pool.name`. `absent` tells what holds where it is not set."""
    changes = []
    for pool in sorted({*old, *new}):
        before, after = old.get(pool, {}), new.get(pool, {})
        for name in LIMIT_NAMES:
            was, is_now = _told(before, name, absent), _told(after, name, absent)
            if was != is_now:
                changes.append(Change(f"group_limits.{pool}.{name}", was, is_now))
    return changes


def _told(limits: Mapping[str, int | None], name: str, absent: str) -> object:
    value = limits.get(name, absent)
    return "no limit" if value is None else value


def no_such_pool(pool: str, pools: Collection[str]) -> str:
    """What is wrong with the name."""
    known = sorted(pools)
    if not known:
        return f"there is no model group {pool[:60]!r}; there is none at all"
    told = ", ".join(known if len(known) <= MOST_TOLD else [*known[:MOST_TOLD], "..."])
    return f"there is no model group {pool[:60]!r}; expected one of {told}"
