"""One right request for every route: what its path names, and what goes into its query and its body.

Ids come by name from one organization's `ids` (see `two_tenants`), so that each can become another organization's.
"""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.admin_api.routes import ADMIN, PLATFORM, Route

Ids = Mapping[str, str]
Make = Callable[[Ids], dict[str, Any]]


@dataclasses.dataclass(frozen=True)
class Scenario:
    """`bodies` are right ones, each on its own. `filters` has every filter of the query that names something;
    `query` is what the query cannot do without.

    `path` says which of the ids a parameter is where it is not the one of its name.
    """

    bodies: tuple[Make, ...] = ()
    filters: Make = lambda ids: {}
    query: Mapping[str, str] = dataclasses.field(default_factory=dict)
    path: Mapping[str, str] = dataclasses.field(default_factory=dict)

    def path_ids(self, route: Route, ids: Ids) -> dict[str, str]:
        return {name: ids[self.path.get(name, name)] for name in route.parameters}


class Asked(dict[str, str]):
    """Ids that remember which of them were asked for."""

    def __init__(self, ids: Ids) -> None:
        super().__init__(ids)
        self.names: list[str] = []

    def __getitem__(self, name: str) -> str:
        self.names.append(name)
        return super().__getitem__(name)


def names_in(make: Make, ids: Ids) -> list[str]:
    """Which of the ids it puts into what it makes."""
    asked = Asked(ids)
    make(asked)
    return list(dict.fromkeys(asked.names))


def keys_in(value: object) -> Iterator[str]:
    """Every key of an object and of the objects in it."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield key
            yield from keys_in(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from keys_in(inner)


READ = Scenario()
NOTHING = Scenario((lambda ids: {},))
PLACE = Scenario((lambda ids: {"workspace_role": "workspace_user"},))
GROUP_LIMITS = {"token_count": {"requests_per_minute": 5}}
KEY_EXTRAS = {
    "expires_at": "2100-01-01T00:00:00Z",
    "allowed_models": ["claude-*"],
    "denied_models": ["claude-opus-*"],
    "allowed_ips": ["10.0.0.0/8"],
    "limits": {"requests_per_minute": 5},
    "group_limits": GROUP_LIMITS,
    "spend_limit": {"amount": "100", "period": "daily"},
}
RESIDENCY = {"allowed_inference_geos": ["us"], "default_inference_geo": "us"}
NOT_OFFERED = {"external_key_id": None, "user_profile_id": None}
PROVIDER = {"name": "provider"}
MODEL = {"name": "model"}
MODEL_GROUP = {"name": "model_group"}
TIER = {"name": "tier"}
ADMIN_KEY = {"api_key_id": "admin_key_id"}

_ADMIN_API: dict[str, Scenario] = {
    "GET me": READ,
    # --- People ---
    "GET users": Scenario(filters=lambda ids: {"email": ids["email"]}),
    "GET users/<user_id>": READ,
    "POST users/<user_id>": Scenario((lambda ids: {"role": "billing"},)),
    "DELETE users/<user_id>": READ,
    "GET invites": Scenario(filters=lambda ids: {"email": ids["invited"]}),
    "POST invites": Scenario(
        (lambda ids: {"email": "new@example.com", "role": "user", "rbac_group_ids": []},)
    ),
    "GET invites/<invite_id>": READ,
    "DELETE invites/<invite_id>": READ,
    # --- Workspaces ---
    "GET workspaces": Scenario(filters=lambda ids: {"ids[]": [ids["workspace_id"]]}),
    "POST workspaces": Scenario(
        (
            lambda ids: {
                "name": "New",
                "display_color": "#112233",
                "data_residency": RESIDENCY,
                "tags": {"team": "a"},
                **NOT_OFFERED,
            },
        )
    ),
    "GET workspaces/<workspace_id>": READ,
    "POST workspaces/<workspace_id>": Scenario(
        (
            lambda ids: {
                "name": "Renamed",
                "data_residency": RESIDENCY,
                "tags": {"team": None},
                **NOT_OFFERED,
            },
        )
    ),
    "POST workspaces/<workspace_id>/archive": NOTHING,
    "GET workspaces/<workspace_id>/members": READ,
    "POST workspaces/<workspace_id>/members": Scenario(
        (lambda ids: {"user_id": ids["other_user_id"], "workspace_role": "workspace_user"},)
    ),
    "GET workspaces/<workspace_id>/members/<user_id>": READ,
    "POST workspaces/<workspace_id>/members/<user_id>": PLACE,
    "DELETE workspaces/<workspace_id>/members/<user_id>": READ,
    # --- Keys ---
    "GET api_keys": Scenario(
        filters=lambda ids: {"workspace_id": ids["workspace_id"], "created_by_user_id": ids["user_id"]}
    ),
    "POST api_keys": Scenario(
        (
            lambda ids: {
                "name": "New",
                "workspace_id": ids["workspace_id"],
                "principal": {"type": "user_actor", "user_id": ids["user_id"]},
                **KEY_EXTRAS,
            },
            lambda ids: {
                "name": "New",
                "scope": {"type": "workspace", "workspace_id": ids["workspace_id"]},
                "principal": {
                    "type": "service_account_actor",
                    "service_account_id": ids["service_account_id"],
                },
            },
        )
    ),
    "GET api_keys/<api_key_id>": READ,
    "POST api_keys/<api_key_id>": Scenario((lambda ids: {"name": "Renamed", **KEY_EXTRAS},)),
    "POST api_keys/<api_key_id>/rotate": Scenario((lambda ids: {"overlap_seconds": 60},)),
    # --- Service accounts ---
    "GET service_accounts": READ,
    "POST service_accounts": Scenario((lambda ids: {"name": "new", "description": "New"},)),
    "GET service_accounts/<service_account_id>": READ,
    "POST service_accounts/<service_account_id>": Scenario((lambda ids: {"organization_role": "admin"},)),
    "POST service_accounts/<service_account_id>/archive": NOTHING,
    "GET service_accounts/<service_account_id>/workspaces": READ,
    "POST service_accounts/<service_account_id>/workspaces": Scenario(
        (lambda ids: {"workspace_id": ids["workspace_id"], "workspace_role": "workspace_admin"},)
    ),
    "DELETE service_accounts/<service_account_id>/workspaces/<workspace_id>": READ,
    "GET workspaces/<workspace_id>/service_accounts": READ,
    "POST workspaces/<workspace_id>/service_accounts": Scenario(
        (
            lambda ids: {
                "service_account_id": ids["service_account_id"],
                "workspace_role": "workspace_admin",
            },
        )
    ),
    "GET workspaces/<workspace_id>/service_accounts/<service_account_id>": READ,
    "POST workspaces/<workspace_id>/service_accounts/<service_account_id>": PLACE,
    "DELETE workspaces/<workspace_id>/service_accounts/<service_account_id>": READ,
}

REPORTED = {"starting_at": f"{datetime.datetime.now(datetime.UTC) - datetime.timedelta(days=2):%Y-%m-%d}"}
_ADMIN_API |= {
    # --- Limits ---
    "GET rate_limits": READ,
    "GET workspaces/<workspace_id>/rate_limits": READ,
    "POST workspaces/<workspace_id>/rate_limits/<rate_limit_id>": Scenario(
        (lambda ids: {"limits": [{"type": "requests_per_minute", "value": 5}]},)
    ),
    "GET limits/blocks": Scenario(
        filters=lambda ids: {
            "request_id": ids["refused_request_id"],
            "api_key_id": ids["api_key_id"],
            "workspace_id": ids["workspace_id"],
        }
    ),
    "GET spend_limits": Scenario(filters=lambda ids: {"workspace_id": ids["workspace_id"]}),
    "POST spend_limits": Scenario(
        (
            lambda ids: {"scope": {"type": "user", "user_id": ids["user_id"]}, "amount": "500"},
            lambda ids: {
                "scope": {"type": "workspace", "workspace_id": ids["workspace_id"]},
                "amount": None,
                "period": "daily",
            },
            lambda ids: {"scope": {"type": "organization"}, "amount": "500"},
        )
    ),
    "GET spend_limits/effective": Scenario(filters=lambda ids: {"user_ids[]": [ids["user_id"]]}),
    "GET spend_limits/<spend_limit_id>": READ,
    "DELETE spend_limits/<spend_limit_id>": READ,
    "GET spend_limit_increase_requests": Scenario(filters=lambda ids: {"actor_ids[]": [ids["user_id"]]}),
    "POST spend_limit_increase_requests": Scenario((lambda ids: {"user_id": ids["other_user_id"]},)),
    "GET spend_limit_increase_requests/<request_id>": READ,
    "POST spend_limit_increase_requests/<request_id>/approve": Scenario((lambda ids: {"amount": "900"},)),
    "POST spend_limit_increase_requests/<request_id>/deny": NOTHING,
    # --- Webhooks ---
    "GET webhooks": READ,
    "POST webhooks": Scenario(
        (
            lambda ids: {
                "url": "https://1.1.1.1/hook",
                "enabled_events": ["spend_limit.threshold_reached"],
                "name": "Finance",
                "description": "New",
            },
        )
    ),
    "GET webhooks/<webhook_endpoint_id>": READ,
    "POST webhooks/<webhook_endpoint_id>": Scenario(
        (
            lambda ids: {
                "url": "https://8.8.8.8/hook",
                "enabled_events": ["credit.threshold_reached"],
                "name": "Renamed",
                "description": "Changed",
                "state": "disabled",
            },
        )
    ),
    "DELETE webhooks/<webhook_endpoint_id>": READ,
    "POST webhooks/<webhook_endpoint_id>/regenerate_signing_secret": NOTHING,
    # --- Reports ---
    "GET usage_report/messages": Scenario(
        filters=lambda ids: {
            "api_key_ids[]": [ids["api_key_id"]],
            "workspace_ids[]": [ids["workspace_id"]],
            "account_ids[]": [ids["user_id"]],
            "service_account_ids[]": [ids["service_account_id"]],
        },
        query=REPORTED,
    ),
    "GET cost_report": Scenario(query=REPORTED),
    "GET usage_report/claude_code": Scenario(query=REPORTED),
}

_LIMITS = {"requests_per_minute": 10}
_PLATFORM: dict[str, Scenario] = {
    "GET organizations": READ,
    "POST organizations": Scenario(
        (
            lambda ids: {
                "name": "New",
                "tier": "pro",
                "admin_email": "new@example.com",
                "limits": _LIMITS,
                "group_limits": GROUP_LIMITS,
                "allowed_models": ["claude-*"],
            },
        )
    ),
    "GET organizations/<organization_id>": READ,
    "POST organizations/<organization_id>": Scenario(
        (
            lambda ids: {
                "name": "Renamed",
                "limits": _LIMITS,
                "group_limits": GROUP_LIMITS,
                "prepaid": True,
            },
        )
    ),
    "POST organizations/<organization_id>/suspend": NOTHING,
    "POST organizations/<organization_id>/resume": NOTHING,
    "GET organizations/<organization_id>/credit": READ,
    "POST organizations/<organization_id>/credit": Scenario(
        (lambda ids: {"amount": "5000", "note": "Invoice 7"}, lambda ids: {"amount": "-5000"})
    ),
    "GET organizations/<organization_id>/admin_keys": READ,
    "POST organizations/<organization_id>/admin_keys": Scenario((lambda ids: {"name": "New"},)),
    "POST organizations/<organization_id>/admin_keys/<api_key_id>/revoke": Scenario(
        (lambda ids: {},), path=ADMIN_KEY
    ),
    "GET providers": READ,
    "GET providers/<name>": Scenario(path=PROVIDER),
    "POST providers/<name>": Scenario(
        (
            lambda ids: {
                "dialect": "anthropic",
                "base_url": "http://10.0.0.2",
                "api_keys": [{"key": "sk-0123456789abcdef", "weight": 1}],
                "timeouts": {"connect": 1},
            },
        ),
        path=PROVIDER,
    ),
    "DELETE providers/<name>": Scenario(path=PROVIDER),
    "GET model_groups": READ,
    "GET model_groups/<name>": Scenario(path=MODEL_GROUP),
    "POST model_groups/<name>": Scenario((lambda ids: {"display_name": "Large"},), path=MODEL_GROUP),
    "DELETE model_groups/<name>": Scenario(path=MODEL_GROUP),
    "GET models": READ,
    "GET models/<name>": Scenario(path=MODEL),
    "POST models/<name>": Scenario(
        (
            lambda ids: {
                "routes": [{"provider": "simulator", "model": "m"}],
                "aliases": ["b"],
                "group": ids["model_group"],
                "price": {
                    "input": "1",
                    "output": "2",
                    "long_context": {"threshold": 200_000, "input": "2", "output": "3"},
                },
            },
        ),
        path=MODEL,
    ),
    "DELETE models/<name>": Scenario(path=MODEL),
    "GET tiers": READ,
    "GET tiers/<name>": Scenario(path=TIER),
    "POST tiers/<name>": Scenario(
        (lambda ids: {"limits": _LIMITS, "group_limits": GROUP_LIMITS},), path=TIER
    ),
    "DELETE tiers/<name>": Scenario(path=TIER),
}


def _below(root: str, table: dict[str, Scenario]) -> dict[str, Scenario]:
    return {f"{name.partition(' ')[0]} {root}{name.partition(' ')[2]}": one for name, one in table.items()}


SCENARIOS = _below(ADMIN, _ADMIN_API) | _below(PLATFORM, _PLATFORM)
