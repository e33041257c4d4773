"""Reading the directory from Postgres: plain SQL over psycopg, since the ORM costs more than the rest of a request."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime
import itertools
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, LiteralString

import psycopg
import structlog
from cryptography.fernet import InvalidToken
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from gateway.budgets import CREDIT, NANODOLLARS_A_CENT, Budget, Budgets
from gateway.directory import spending
from gateway.directory.catalog import Catalog, CatalogModel, NextPrice, Target, Timeouts, catalog_of
from gateway.encryption import Vault
from gateway.limit_pools import merged
from gateway.model_rules import rules_of
from gateway.price import Rates, rates_of
from gateway.principal import Principal, Workspace, geography_of, networks_of
from gateway.scopes import Holder, Pools

log = structlog.get_logger(__name__)

KEY: LiteralString = """
SELECT k.id, k.kind, k.status, k.limits AS key_limits, k.group_limits AS key_group_limits,
       k.workspace_id, k.user_id, k.allowed_ips,
       CASE WHEN k.digest = %s THEN k.expires_at ELSE least(k.expires_at, k.previous_until) END AS expires_at,
       o.id AS organization_id, o.name AS organization_name, o.suspended_at, o.prepaid_since,
       CASE WHEN o.prepaid_since IS NOT NULL
            THEN (SELECT coalesce(sum(c.amount), 0)::bigint FROM credit_entry c WHERE c.organization_id = o.id)
        END AS credit_cents,
       t.limits AS tier_limits, o.limits AS organization_limits, t.reserve_worst_case,
       t.group_limits AS tier_group_limits, o.group_limits AS organization_group_limits,
       k.allowed_models AS key_allowed, k.denied_models AS key_denied,
       o.allowed_models AS organization_allowed, o.denied_models AS organization_denied,
       (SELECT json_agg(json_build_object('id', w.id, 'is_default', w.is_default, 'limits', w.limits,
                                          'group_limits', w.group_limits,
                                          'allowed', w.allowed_models, 'denied', w.denied_models,
                                          'geos', w.allowed_inference_geos, 'geo', w.default_inference_geo,
                                          'content_days', w.content_days,
                                          'archived', w.archived_at IS NOT NULL)
                        ORDER BY w.is_default DESC, w.created_at)
          FROM gateway_workspace w
         WHERE w.organization_id = k.organization_id AND (k.workspace_id IS NULL OR w.id = k.workspace_id)
       ) AS workspaces,
       (SELECT json_agg(json_build_object('id', l.id, 'scope', l.scope, 'scope_id', l.scope_id, 'period', l.period,
                                          'amount', l.amount, 'version', l.version) ORDER BY l.id)
          FROM (  -- one look into an index each, whatever the number of limits of other members and keys
                SELECT id, 'organization' AS scope, organization_id::text AS scope_id, period, amount,
                       (extract(epoch FROM updated_at) * 1000)::bigint AS version
                  FROM gateway_spendlimit
                 WHERE organization_id = k.organization_id
                   AND workspace_id IS NULL AND user_id IS NULL AND api_key_id IS NULL
                UNION ALL
                SELECT id, 'workspace', workspace_id, period, amount, (extract(epoch FROM updated_at) * 1000)::bigint
                  FROM gateway_spendlimit
                 WHERE organization_id = k.organization_id AND workspace_id = k.workspace_id
                UNION ALL
                SELECT id, 'workspace', workspace_id, period, amount, (extract(epoch FROM updated_at) * 1000)::bigint
                  FROM gateway_spendlimit
                 WHERE organization_id = k.organization_id AND workspace_id IS NOT NULL AND k.workspace_id IS NULL
                UNION ALL
                SELECT id, 'user', user_id, period, amount, (extract(epoch FROM updated_at) * 1000)::bigint
                  FROM gateway_spendlimit
                 WHERE organization_id = k.organization_id AND user_id = k.user_id
                UNION ALL
                SELECT id, 'api_key', api_key_id, period, amount, (extract(epoch FROM updated_at) * 1000)::bigint
                  FROM gateway_spendlimit
                 WHERE organization_id = k.organization_id AND api_key_id = k.id) l
         WHERE l.amount IS NOT NULL
       ) AS spend_limits
  FROM gateway_apikey k
  JOIN gateway_organization o ON o.id = k.organization_id
  JOIN gateway_tier t ON t.id = o.tier_id
 WHERE k.digest = %s OR k.previous_digest = %s
"""

DIGEST: LiteralString = "SELECT digest FROM gateway_apikey WHERE id = %s"

RENEW_DIGEST: LiteralString = """
UPDATE gateway_apikey
   SET digest = CASE WHEN digest = %s THEN %s ELSE digest END,
       previous_digest = CASE WHEN previous_digest = %s THEN %s ELSE previous_digest END
 WHERE digest = %s OR previous_digest = %s
RETURNING id
"""

MODELS: LiteralString = """
SELECT m.id, m.name, m.origin, m.display_name, m.created_at, m.max_input_tokens, m.max_output_tokens,
       coalesce(g.name, 'default') AS model_group,
       (SELECT coalesce(array_agg(a.alias ORDER BY a.alias), '{}') FROM gateway_modelalias a WHERE a.model_id = m.id
       ) AS aliases
  FROM gateway_model m LEFT JOIN gateway_modelgroup g ON g.id = m.group_id
 WHERE m.origin <> 'simulator' OR %s
 ORDER BY m.name
"""

# Of each model the price in force, if any, and those that follow; of two that begin at once the later row counts.
PRICES: LiteralString = """
SELECT * FROM (
    SELECT DISTINCT ON (model_id) *, true AS begun FROM gateway_price
     WHERE model_id IS NOT NULL AND effective_at <= now()
     ORDER BY model_id, effective_at DESC, id DESC) AS current
UNION ALL
SELECT * FROM (
    SELECT DISTINCT ON (model_id, effective_at) *, false AS begun FROM gateway_price
     WHERE model_id IS NOT NULL AND effective_at > now()
     ORDER BY model_id, effective_at, id DESC) AS next
 ORDER BY model_id, effective_at
"""

# A provider that was drained gets nothing new; `PROVIDER` finds it still, for what is to come home from there.
ROUTES: LiteralString = """
SELECT r.model_id, r.upstream_model, r.priority, r.weight, r.provider_id, p.name AS provider, p.preset, p.dialect,
       p.base_url, p.connect_timeout, p.first_byte_timeout, p.idle_timeout, p.on_disconnect, p.batches
  FROM gateway_route r JOIN gateway_provider p ON p.id = r.provider_id
 WHERE p.drained_at IS NULL
 ORDER BY r.model_id, r.priority, r.id
"""

PROVIDER: LiteralString = """
SELECT '' AS upstream_model, 1 AS priority, 100 AS weight, p.id AS provider_id, p.name AS provider, p.preset,
       p.dialect, p.base_url, p.connect_timeout, p.first_byte_timeout, p.idle_timeout, p.on_disconnect, p.batches
  FROM gateway_provider p
 WHERE p.name = %s
"""

PROVIDER_KEYS: LiteralString = """
SELECT k.id, k.provider_id, k.encrypted_api_key, k.weight, p.name AS provider
  FROM gateway_providerkey k JOIN gateway_provider p ON p.id = k.provider_id
 ORDER BY k.provider_id, k.position, k.id
"""

# For a query with all its waiting: a Postgres that takes connections and says nothing must not hold a request.
ANSWER_SECONDS = 3.0


class StoreUnavailable(Exception):
    """Postgres did not answer; what is cached goes on being used."""


@dataclasses.dataclass(frozen=True, slots=True)
class Credential:
    """A provider's key, ready for use, and its share of what goes to the provider, from 0 to 1."""

    key_id: str
    api_key: str = dataclasses.field(repr=False)
    share: float


@dataclasses.dataclass(frozen=True, slots=True)
class Prices:
    """What a model costs now, and what it is going to cost."""

    current: Rates | None = None
    following: tuple[NextPrice, ...] = ()


UNPRICED = Prices()
NO_CREDENTIAL = [Credential("", "", 1.0)]


class DirectoryStore:
    """The queries of the data plane. Every method raises `StoreUnavailable` when Postgres is away."""

    def __init__(self, database_url: str, *, vault: Vault, simulator: bool) -> None:
        self._vault = vault
        self._simulator = simulator
        self._pool: AsyncConnectionPool[psycopg.AsyncConnection[dict[str, Any]]] = AsyncConnectionPool(
            database_url,
            min_size=0,
            max_size=16,  # opened on demand: behind a slow PostgreSQL many keys are read anew at once
            timeout=2,
            max_idle=60,
            open=False,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "connect_timeout": 2,
                "options": "-c statement_timeout=2s",
            },
            check=AsyncConnectionPool.check_connection,
        )
        self._asking: set[asyncio.Task[list[dict[str, Any]]]] = set()

    async def open(self) -> None:
        await self._pool.open()

    async def close(self) -> None:
        await self._pool.close()

    async def ping(self) -> None:
        await self._rows("SELECT 1 AS one")

    async def principal(self, digest: bytes) -> Principal | None:
        """The holder of the key with this digest, usable or not; after a rotation the digest before finds it too,
        expired once the overlap is over: who goes on using an old secret guesses no keys."""
        rows = await self._rows(KEY, digest, digest, digest)
        return _principal(rows[0]) if rows else None

    async def principal_of(self, key_id: str) -> Principal | None:
        """The holder of the key with this id, usable or not: of what it asked for while it was."""
        rows = await self._rows(DIGEST, key_id)
        return await self.principal(rows[0]["digest"]) if rows else None

    async def renew_digest(self, before: bytes, after: bytes) -> None:
        """The same secret under another pepper."""
        rows = await self._rows(RENEW_DIGEST, before, after, before, after, before, before)
        log.info("key_digest_renewed", key_id=[row["id"] for row in rows])

    async def catalog(self) -> Catalog:
        """All models with their routes; what operators configured wins a name from the simulator."""
        models = await self._rows(MODELS, self._simulator)
        routes = await self._rows(ROUTES)
        credentials = await self._all_credentials()
        targets = {
            model: tuple(_targets(rows, credentials))
            for model, rows in itertools.groupby(routes, key=lambda row: row["model_id"])
        }
        prices = await self._prices()
        configured: list[CatalogModel] = []
        simulated: list[CatalogModel] = []
        for row in models:
            group = simulated if row["origin"] == "simulator" else configured
            group.append(_model(row, targets.get(row["id"], ()), prices.get(row["id"], UNPRICED)))
        return catalog_of(configured, simulated)

    async def provider(self, name: str) -> tuple[Target, ...]:
        """The provider with each of its keys, for models that no route names: `upstream_model` is empty."""
        rows = await self._rows(PROVIDER, name)
        return tuple(_targets(rows, await self._all_credentials()))

    @contextlib.asynccontextmanager
    async def snapshot(self) -> AsyncIterator[spending.Connection]:
        """A connection on which all questions see the same moment, for `spending.py`."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS), self._pool.connection() as connection:
                await connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")
                try:
                    yield connection
                finally:
                    await connection.execute("ROLLBACK")
        except (TimeoutError, psycopg.OperationalError, PoolTimeout, PoolClosed) as problem:
            raise StoreUnavailable(str(problem) or "no answer in time") from problem

    async def _prices(self) -> dict[Any, Prices]:
        """By the id of the model."""
        rows = await self._rows(PRICES)
        return {
            model: _prices(list(own)) for model, own in itertools.groupby(rows, lambda row: row["model_id"])
        }

    async def _all_credentials(self) -> dict[Any, list[Credential]]:
        """By the id of the provider."""
        keys = await self._rows(PROVIDER_KEYS)
        return {
            provider: self._credentials(list(rows))
            for provider, rows in itertools.groupby(keys, key=lambda row: row["provider_id"])
        }

    def _credentials(self, rows: list[dict[str, Any]]) -> list[Credential]:
        """The keys of one provider. One that cannot be read leaves its share to the others; if none can, the
        provider is asked without a key and says itself what it thinks of that.
        """
        readable = [(row, api_key) for row in rows if (api_key := self._decrypted(row))]
        if not readable:
            return [Credential(str(rows[0]["id"]), "", 1.0)]
        total = sum(max(1, row["weight"]) for row, _ in readable)
        return [
            Credential(str(row["id"]), api_key, max(1, row["weight"]) / total) for row, api_key in readable
        ]

    def _decrypted(self, row: dict[str, Any]) -> str:
        """The provider's key; one that no configured data key opens must not take the other providers down."""
        try:
            return self._vault.decrypt(row["encrypted_api_key"])
        except InvalidToken:
            log.error("provider_key_not_decrypted", provider=row["provider"], key_id=str(row["id"]))
            return ""

    async def _rows(self, query: LiteralString, *arguments: object) -> list[dict[str, Any]]:
        """A query that is given up goes on in the background: psycopg takes seconds to cancel one that hangs."""
        asking = asyncio.create_task(self._ask(query, arguments))
        self._asking.add(asking)
        asking.add_done_callback(self._asked)
        try:
            done, _ = await asyncio.wait({asking}, timeout=ANSWER_SECONDS)
        finally:
            asking.cancel()
        if not done:
            raise StoreUnavailable(f"no answer within {ANSWER_SECONDS:g} s")
        return asking.result()

    async def _ask(self, query: LiteralString, arguments: tuple[object, ...]) -> list[dict[str, Any]]:
        try:
            async with self._pool.connection() as connection:
                return await (await connection.execute(query, arguments)).fetchall()
        except (psycopg.OperationalError, PoolTimeout, PoolClosed) as problem:
            raise StoreUnavailable(str(problem)) from problem

    def _asked(self, asking: asyncio.Task[list[dict[str, Any]]]) -> None:
        self._asking.discard(asking)
        if not asking.cancelled():
            asking.exception()  # told to whoever still waits


def _principal(row: dict[str, Any]) -> Principal:
    expires_at: datetime.datetime | None = row["expires_at"]
    workspaces = tuple(_workspace(row, one) for one in row["workspaces"] or [] if not one["archived"])
    return Principal(
        key_id=row["id"],
        kind=row["kind"],
        organization_id=row["organization_id"],
        organization_name=row["organization_name"],
        refusal=_refusal(row, usable=bool(workspaces)),
        expires_at=expires_at.timestamp() if expires_at else None,
        workspaces=workspaces,
        reserve_worst_case=row["reserve_worst_case"],
        networks=networks_of(row["allowed_ips"]),
    )


def _workspace(row: dict[str, Any], one: dict[str, Any]) -> Workspace:
    """What holds for the key's requests in one workspace."""
    organization_id = row["organization_id"]
    return Workspace(
        one["id"],
        one["is_default"],
        Pools(
            organization_id,
            (
                Holder(
                    "organization",
                    str(organization_id),
                    {**row["tier_limits"], **row["organization_limits"]},
                    merged(row["tier_group_limits"], row["organization_group_limits"]),
                ),
                Holder("workspace", one["id"], one["limits"], one["group_limits"]),
                Holder("api_key", row["id"], row["key_limits"], row["key_group_limits"]),
            ),
        ),
        Budgets(organization_id, tuple(_budgets(row, one["id"]))),
        rules_of(
            ("organization", row["organization_allowed"], row["organization_denied"]),
            ("workspace", one["allowed"], one["denied"]),
            ("api_key", row["key_allowed"], row["key_denied"]),
        ),
        geography_of(one["geos"], one["geo"]),
        one["content_days"],
    )


def _budgets(row: dict[str, Any], workspace_id: str) -> Iterator[Budget]:
    """Spend limits that hold in the workspace, and credit where the organization pays ahead."""
    for limit in row["spend_limits"] or []:
        if limit["scope"] != "workspace" or limit["scope_id"] == workspace_id:
            yield Budget(
                limit["id"],
                limit["scope"],
                limit["scope_id"],
                limit["period"],
                limit["amount"] * NANODOLLARS_A_CENT,
                limit["version"],
            )
    since: datetime.datetime | None = row["prepaid_since"]
    if since is not None:
        amount = row["credit_cents"] * NANODOLLARS_A_CENT
        began = int(since.timestamp() * 1000)
        organization = str(row["organization_id"])
        yield Budget(CREDIT, "organization", organization, CREDIT, amount, since_ms=began)


def _refusal(row: dict[str, Any], *, usable: bool) -> str:
    """Why this key is refused, or nothing; one word each, for the log and the choice of status."""
    if row["status"] != "active":
        return str(row["status"])
    if row["suspended_at"] is not None:
        return "suspended"
    return "" if usable else "archived"


def _targets(rows: Iterable[dict[str, Any]], credentials: dict[Any, list[Credential]]) -> Iterator[Target]:
    """Each route with each key of its provider."""
    for row in rows:
        for credential in credentials.get(row["provider_id"], NO_CREDENTIAL):
            yield _target(row, credential)


def _target(row: dict[str, Any], credential: Credential) -> Target:
    return Target(
        provider=row["provider"],
        preset=row["preset"],
        dialect=row["dialect"],
        base_url=row["base_url"],
        api_key=credential.api_key,
        key_id=credential.key_id,
        upstream_model=row["upstream_model"],
        priority=row["priority"],
        weight=max(1, row["weight"]) * credential.share,
        timeouts=Timeouts(
            row["connect_timeout"] or 5.0, row["first_byte_timeout"], row["idle_timeout"] or 60.0
        ),
        drain_on_disconnect=row["on_disconnect"] == "drain",
        native_batches=row["batches"] == "native",
    )


def _prices(rows: list[dict[str, Any]]) -> Prices:
    """Of one model, the first one in time first."""
    current = [rates_of(row) for row in rows if row["begun"]]
    following = [NextPrice(row["effective_at"], rates_of(row)) for row in rows if not row["begun"]]
    return Prices(current[0] if current else None, tuple(following))


def _model(row: dict[str, Any], targets: tuple[Target, ...], prices: Prices) -> CatalogModel:
    return CatalogModel(
        name=row["name"],
        display_name=row["display_name"],
        created_at=row["created_at"],
        max_input_tokens=row["max_input_tokens"],
        max_output_tokens=row["max_output_tokens"],
        price=prices.current,
        next_prices=prices.following,
        targets=targets,
        aliases=tuple(row["aliases"]),
        group=row["model_group"],
    )
