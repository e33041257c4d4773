"""Scopes and pools for tests of the limiter: by what they limit, without the rows they are made from."""

from __future__ import annotations

import uuid

from gateway.budgets import Budgets
from gateway.limiters import CONCURRENT, LIMITERS
from gateway.model_rules import ModelRules
from gateway.principal import Workspace
from gateway.scopes import Pool, Pools, Scope, state_key

ACME = uuid.UUID("00000000-0000-4000-8000-00000000ac3e")
UMBRELLA = uuid.UUID("00000000-0000-4000-8000-0000000b4e11")

_SHORT = {
    "requests": "requests_per_minute",
    "tokens": "tokens_per_minute",
    "input_tokens": "input_tokens_per_minute",
    "output_tokens": "output_tokens_per_minute",
    "concurrent": CONCURRENT,
}


def scope(*, kind: str = "organization", tenant: uuid.UUID = ACME, **limits: int) -> Scope:
    """Limits by their names or short ones: `requests`, `tokens`, `input_tokens`, `output_tokens`, `concurrent`."""
    named = {_SHORT.get(name, name): value for name, value in limits.items()}
    sizes = tuple(named.get(limiter.name, 0) for limiter in LIMITERS)
    return Scope(
        kind, f"{kind}_1", state_key(tenant, "default", kind, f"{kind}_1"), sizes, named.get(CONCURRENT, 0)
    )


def pool(*scopes: Scope, tenant: uuid.UUID = ACME, name: str = "default") -> Pool:
    """Of these scopes, the widest first."""
    return Pool(name, tenant, scopes)


def unlimited(workspace_id: str, rules: tuple[ModelRules, ...] = ()) -> Workspace:
    """A workspace in which nothing is limited."""
    return Workspace(workspace_id, True, Pools(ACME, ()), Budgets(ACME, ()), rules)
