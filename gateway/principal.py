"""Who is calling, as the hot path knows it: immutable, cached, made from rows by `directory/store.py`."""

from __future__ import annotations

import ipaddress
import uuid
from collections.abc import Collection, Sequence

import msgspec

from gateway.budgets import Budgets
from gateway.model_rules import ModelRules
from gateway.scopes import Pools

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

ANYWHERE = "global"  # the geography of requests that no place is asked for


class Geography(msgspec.Struct, frozen=True):
    """Where the requests of a workspace may be served: `allowed` None is anywhere that a request names, `default`
    counts for those that name nowhere.
    """

    allowed: frozenset[str] | None
    default: str


class Workspace(msgspec.Struct, frozen=True):
    """A workspace that a principal may use, and what its requests there are under: limits in `pools`, money in
    `budgets`, and in `rules` what the organization, the workspace and the key say about models, if anything, the
    widest first. `geography` is None where nothing is said of it, which is nearly everywhere. `content_days` is how
    many days what is asked and answered there is kept; 0 is not at all.
    """

    id: str
    is_default: bool
    pools: Pools
    budgets: Budgets
    rules: tuple[ModelRules, ...] = ()
    geography: Geography | None = None
    content_days: int = 0


class Principal(msgspec.Struct, frozen=True):
    """A key that was found. `expires_at` is Unix time in seconds; `refusal` says why the key may not be used.

    `workspaces` holds the one workspace of the key, or all active ones for a key of the whole organization,
    the default one first. `networks` are those that the key may be used from; none is everywhere.
    """

    key_id: str
    kind: str
    organization_id: uuid.UUID
    organization_name: str
    refusal: str
    expires_at: float | None
    workspaces: tuple[Workspace, ...]
    reserve_worst_case: bool
    networks: tuple[Network, ...] = ()


def may_come_from(networks: Sequence[Network], address: str) -> bool:
    """Whether a key with these networks may be used from there: one without any may be used from everywhere.

    `::ffff:10.0.0.1` is 10.0.0.1; what is no address is nowhere.
    """
    if not networks:
        return True
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped is not None:
        ip = ip.ipv4_mapped
    return any(ip in network for network in networks)


def denied_by(workspace: Workspace, names: Collection[str]) -> str:
    """Who keeps the model with these names from a principal's requests in this workspace: `organization`,
    `workspace` or `api_key`; nobody is "". All three have to allow it.
    """
    for rules in workspace.rules:
        if not rules.permit(names):
            return rules.holder
    return ""


def geography_of(allowed: Collection[str] | None, default: str) -> Geography | None:
    """What a workspace's row says, None where everything is allowed and nothing preferred."""
    if allowed is None and default == ANYWHERE:
        return None
    return Geography(None if allowed is None else frozenset(allowed), default)


def networks_of(texts: Sequence[str]) -> tuple[Network, ...]:
    """Networks in CIDR form, as they are stored."""
    return tuple(map(ipaddress.ip_network, texts))
