"""An organization that spends: over the official SDK, with limits that its admin sets over the Admin API.

Prices are those of the test catalog: 3 dollars for a million tokens of input, 15 for one of output. A request that
costs `cents` asks for as many tokens as it will get, so that what is reserved is hardly more than what is spent.
"""

from __future__ import annotations

import asyncio
import itertools
import time
from decimal import Decimal
from typing import Any

import anthropic
import httpx
import psycopg

from gateway.budgets import nanodollars
from tests import upstream as provider
from tests.data_plane import wire
from tests.data_plane.house import SCRIPTED, VERSION, Tenant, body
from tests.data_plane.wire import Answer
from tests.outages.site import Site, until

TOKENS_A_CENT = 10_000_000_000 // 15_000_000  # of output: 666 of them are 0.999 cents
INPUT = 10  # tokens that the provider reports
SETTLE_SECONDS = 1.0  # until a change is known everywhere
_numbers = itertools.count(1)


class Spender:
    """`key` is the one in use; `admin` asks the Admin API."""

    def __init__(self, site: Site, *, limits: dict[str, int] | None = None) -> None:
        self.site = site
        self.tenant: Tenant = site.house.tenant(limits=limits)
        self.key, self.key_id = self.tenant.key, self.tenant.key_id
        secret = site.house.office.wish("api_key", organization=self.tenant.name, kind="admin", name="admin")[
            "secret"
        ]
        base = f"http://127.0.0.1:{site.house.port}"
        self.admin = httpx.Client(base_url=base, headers={"x-api-key": secret, VERSION[0]: VERSION[1]})

    # --- What its admin does ---

    def limit(self, cents: int | None, period: str = "monthly", **scope: str) -> str:
        """The id of the new spend limit; `scope` as the Admin API takes it, the organization without one."""
        asked = {"scope": scope or {"type": "organization"}, "amount": str(cents), "period": period}
        return str(self._post("/v1/organizations/spend_limits", asked)["id"])

    def limit_key(self, cents: int, period: str) -> None:
        asked = {"spend_limit": {"amount": str(cents), "period": period}}
        self._post(f"/v1/organizations/api_keys/{self.key_id}", asked)

    def become_a_member(self) -> str:
        """Use a key that acts for a person; the person's id."""
        email = f"member{next(_numbers)}@example.com"
        self.site.house.office.wish(
            "member", organization=self.tenant.name, email=email, password="correct horse battery"
        )
        people = self.admin.get("/v1/organizations/users", params={"email": email}).json()["data"]
        user = str(next(one["id"] for one in people if one["email"] == email))
        made = self._post(
            "/v1/organizations/api_keys",
            {"name": "hers", "principal": {"type": "user_actor", "user_id": user}},
        )
        self.key, self.key_id = made["key"], made["id"]
        return user

    def blocks(self, request_id: str | None) -> list[dict[str, Any]]:
        found = self.admin.get("/v1/organizations/limits/blocks", params={"request_id": str(request_id)})
        assert found.status_code == 200, found.text
        return list(found.json()["data"])

    def _post(self, path: str, asked: dict[str, Any]) -> dict[str, Any]:
        answer = self.admin.post(path, json=asked)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    # --- What its developers do ---

    def sdk(self, port: int | None = None) -> anthropic.Anthropic:
        """With the SDK's own retries."""
        return anthropic.Anthropic(
            api_key=self.key, base_url=f"http://127.0.0.1:{port or self.site.house.port}"
        )

    def request(self, cents: float, *, pause: float = 0, **fields: Any) -> dict[str, Any]:
        """The body of a request that costs so much."""
        output = int(cents * TOKENS_A_CENT)
        usage = {**provider.USAGE, "input_tokens": INPUT, "output_tokens": output}
        answer = provider.reply(200, provider.message(usage=usage))
        script = self.site.house.upstream.script(*([provider.Pause(pause)] if pause else []), *answer)
        return {**body(SCRIPTED, script), "max_tokens": max(1, output), **fields}

    def spend(self, cents: float, *, port: int | None = None) -> Answer:
        """One request; its usage may still be on its way to the ledger."""
        raw = self.site.house.message(self.request(cents), key=self.key)
        return asyncio.run(wire.ask(port or self.site.house.port, raw))

    # --- What became of it ---

    def spent(self) -> Decimal:
        """Cents in the ledger."""
        with psycopg.connect(self.site.database.url) as connection:
            row = connection.execute(
                "SELECT coalesce(sum(cost), 0) FROM usage_event WHERE organization_id = %s", [self.tenant.id]
            ).fetchone()
        assert row is not None
        return Decimal(row[0]) * 100

    def wait_for_ledger(self, requests: int, within: float = 15) -> None:
        until(lambda: len(self.site.rows(self.key_id)) >= requests, within, "usage is not in the ledger")

    def counters(self) -> dict[str, dict[str, int]]:
        """What Valkey has of each budget of the organization, by key: `s` and `r` in nanodollars, and leases."""
        valkey = self.site.house.valkey
        keys = valkey.scan_iter(f"gw:*:spend:{self.tenant.id}:*")
        return {
            key.decode(): {
                name.decode(): int(value) for name, value in valkey.hgetall(key).items() if name != b"audit"
            }
            for key in keys
        }

    def counter(self) -> dict[str, int]:
        """The only one."""
        (found,) = self.counters().values()
        return found

    def is_exact(self) -> bool:
        """Whether the only counter says what the ledger says, to the nanodollar, with nothing reserved."""
        found = list(self.counters().values())
        return [(one["s"], one.get("r", 0)) for one in found] == [(nanodollars_of(self.spent()), 0)]


def nanodollars_of(cents: Decimal) -> int:
    return nanodollars(cents / 100)


def settle_in() -> None:
    time.sleep(SETTLE_SECONDS)
