"""`python -m benchmarks.ledger`: a month (`--days`) of an installation that is used, in an empty database.

One large organization with all the lists that the Admin API has, 400 small ones, and their usage: agents that work
for 40 minutes at a time, five requests a minute, most of them by day. The database is that of `DATABASE_URL`; the last
line of the output is JSON: an `Archive`. Times of the day, models and tokens are random, from a fixed seed; the number
of events is exact.
"""

from __future__ import annotations

import argparse
import datetime
import itertools
import os
import secrets
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import django
import msgspec
import psycopg
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.auth.hashers import make_password

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
django.setup()

from admin_api.actions import api_keys, organizations  # noqa: E402 - Django has to be set up before
from admin_api.actor import SYSTEM  # noqa: E402
from admin_api.urls import urlpatterns  # noqa: E402
from benchmarks.archive import DAYS, EVENTS, Archive  # noqa: E402
from gateway.metering import sessions  # noqa: E402
from gateway.metering.rollups import COSTS, DIMENSIONS, SUMS  # noqa: E402
from gateway.models import (  # noqa: E402
    ApiKey,
    Invite,
    Membership,
    Organization,
    ServiceAccount,
    ServiceAccountWorkspace,
    SpendLimit,
    SpendLimitIncreaseRequest,
    Tier,
    User,
    Workspace,
    WorkspaceMember,
)
from gateway.models.sessions import SIGNED_IN, SessionStore  # noqa: E402
from gateway.models.spend_limits import Period  # noqa: E402

MEMBERS, KEYS, WORKSPACES, INVITES, SERVICE_ACCOUNTS = 1000, 2000, 100, 500, 100
BUSY_KEYS, BUSY_WORKSPACES = 200, 20
SMALL_ORGANIZATIONS, SMALL_KEYS = 400, 3
MODELS = 8

MINUTES_OF_SESSION, EVENTS_OF_MINUTE = 40, 5
EVENTS_OF_SESSION = MINUTES_OF_SESSION * EVENTS_OF_MINUTE
LARGE_IN_TEN = 4  # four of ten events are the large organization's


class Asker(msgspec.Struct, frozen=True):
    """A key that is used."""

    large: bool
    organization_id: str
    workspace_id: str
    api_key_id: str


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.ledger", description=__doc__)
    parser.add_argument("--events", type=int, default=EVENTS, help=f"how many events ({EVENTS:,})")
    parser.add_argument(
        "--days", type=int, default=DAYS, help=f"over how many days, up to yesterday ({DAYS})"
    )
    options = parser.parse_args()
    today = datetime.datetime.now(datetime.UTC).date()
    days = [today - datetime.timedelta(days=n) for n in range(options.days, 0, -1)]
    large = _large_organization(days[0])
    askers = [*_busy(large), *_small_organizations()]
    with psycopg.connect(settings.CONFIGURATION.database_url, autocommit=True) as connection:
        _prepare(connection, askers, options.events // EVENTS_OF_SESSION, options.days)
        for number, day in enumerate(days):
            _fill(connection, number, day)
            print(f"  {day}", file=sys.stderr, flush=True)
        rows = _settle(connection)
    _, secret = api_keys.create(actor=SYSTEM, organization=large, name="Benchmark", kind="admin")
    archive = Archive(
        organization_id=str(large.id),
        admin_key=secret,
        session=_session(large),
        lists=_lists(large),
        first_day=days[0],
        last_day=days[-1],
        events=rows["usage_event"],
        rows=rows,
    )
    print(msgspec.json.encode(archive).decode())


def _lists(large: Organization) -> list[str]:
    """Every path that lists something; below a workspace, those of the one that has the most of everything."""
    workspace = Workspace.objects.filter(organization=large, is_default=False).earliest("name")
    routes = [str(path.pattern) for path in urlpatterns if hasattr(path.callback.cls, "get")]
    routes = [route.replace("<str:workspace_id>/", f"{workspace.id}/") for route in routes]
    return [route for route in routes if "<" not in route and "_report" not in route and route != "me"]


def _session(large: Organization) -> str:
    """An admin's, as signing in makes one."""
    admin = User.objects.filter(
        memberships__organization=large, memberships__role=Membership.Role.ADMIN
    ).earliest("email")
    session = SessionStore()
    session[SESSION_KEY] = str(admin.pk)
    session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
    session[HASH_SESSION_KEY] = admin.get_session_auth_hash()
    session[SIGNED_IN] = {"at": time.time()}
    session.create()
    return str(session.session_key)


def _large_organization(first_day: datetime.date) -> Organization:
    large = organizations.create(actor=SYSTEM, name="Large", tier=Tier.objects.get(name="enterprise"))
    at = _moments(first_day)
    users = User.objects.bulk_create(
        User(email=f"person{n}@large.example", name=f"Person {n}", password=make_password(None))
        for n in range(MEMBERS)
    )
    roles = itertools.cycle([Membership.Role.USER, Membership.Role.DEVELOPER, Membership.Role.ADMIN])
    Membership.objects.bulk_create(
        Membership(organization=large, user=user, role=next(roles), added_at=next(at)) for user in users
    )
    workspaces = Workspace.objects.bulk_create(
        Workspace(organization=large, name=f"Workspace {n:03}", created_at=next(at))
        for n in range(WORKSPACES - 1)
    )
    robots = ServiceAccount.objects.bulk_create(
        ServiceAccount(organization=large, name=f"Robot {n}", created_at=next(at))
        for n in range(SERVICE_ACCOUNTS)
    )
    _members(large, workspaces[0], users, robots)
    _keys(large, workspaces, users, robots, at)
    Invite.objects.bulk_create(
        Invite(
            organization=large,
            email=f"guest{n}@large.example",
            role=Membership.Role.USER,
            token_digest=secrets.token_bytes(32),
            invited_at=next(at),
        )
        for n in range(INVITES)
    )
    _spend_limits(large, users, at)
    return large


def _spend_limits(large: Organization, users: list[User], at: Iterator[datetime.datetime]) -> None:
    """One of the organization in each period, and each member's own by day, with a wish for more by week."""
    SpendLimit.objects.bulk_create(
        [
            *(SpendLimit(organization=large, period=period, amount=10**9) for period in Period.values),
            *(
                SpendLimit(
                    organization=large, user=user, period=Period.DAILY, amount=50_000, created_at=next(at)
                )
                for user in users
            ),
        ]
    )
    SpendLimitIncreaseRequest.objects.bulk_create(
        SpendLimitIncreaseRequest(organization=large, user=user, period=Period.WEEKLY, created_at=next(at))
        for user in users
    )


def _members(
    large: Organization, workspace: Workspace, users: list[User], robots: list[ServiceAccount]
) -> None:
    """Half of all work in the first workspace."""
    WorkspaceMember.objects.bulk_create(
        WorkspaceMember(
            organization=large, workspace=workspace, user=user, role=WorkspaceMember.Role.DEVELOPER
        )
        for user in users[::2]
    )
    ServiceAccountWorkspace.objects.bulk_create(
        ServiceAccountWorkspace(
            organization=large, workspace=workspace, service_account=robot, role=WorkspaceMember.Role.USER
        )
        for robot in robots[::2]
    )


def _keys(
    large: Organization,
    workspaces: list[Workspace],
    users: list[User],
    robots: list[ServiceAccount],
    at: Iterator[datetime.datetime],
) -> None:
    """Two of three act for a member, some for a service account; the first ones are in the first workspaces."""
    ApiKey.objects.bulk_create(
        ApiKey(
            organization=large,
            workspace=workspaces[n % BUSY_WORKSPACES if n < BUSY_KEYS else n % len(workspaces)],
            kind="api",
            name=f"Key {n:04}",
            digest=secrets.token_bytes(32),
            hint="sk-ant-api03-R2D...igAA",
            user=users[n % MEMBERS] if n % 3 else None,
            service_account=robots[n % SERVICE_ACCOUNTS] if n % 9 == 0 else None,
            created_at=next(at),
        )
        for n in range(KEYS)
    )


def _moments(first_day: datetime.date) -> Iterator[datetime.datetime]:
    """One minute after another, so that lists have an order."""
    start = datetime.datetime.combine(first_day, datetime.time(), datetime.UTC)
    return (start + datetime.timedelta(minutes=n) for n in itertools.count())


def _busy(large: Organization) -> Iterable[Asker]:
    keys = ApiKey.objects.filter(organization=large).order_by("name")[:BUSY_KEYS]
    return (Asker(True, str(large.id), key.workspace_id, key.id) for key in keys)


def _small_organizations() -> Iterable[Asker]:
    tier = Tier.objects.get(name="pro")
    small = Organization.objects.bulk_create(
        Organization(name=f"Small {n}", tier=tier) for n in range(SMALL_ORGANIZATIONS)
    )
    places = Workspace.objects.bulk_create(
        Workspace(organization=one, name="Default", is_default=True) for one in small
    )
    keys = ApiKey.objects.bulk_create(
        ApiKey(
            organization_id=place.organization_id,
            workspace=place,
            kind="api",
            name=f"Key {n}",
            digest=secrets.token_bytes(32),
            hint="sk-ant-api03-R2D...igAA",
        )
        for place in places
        for n in range(SMALL_KEYS)
    )
    return (Asker(False, str(key.organization_id), key.workspace_id, key.id) for key in keys)


# A session has one main model, which is one of three favourites of its key; every twentieth request is a small one.
_SESSIONS = f"""
CREATE TEMP TABLE session AS
SELECT number, day, minute, asker.*, large OR n %% 2 = 0 AS claude_code,
    1 + (n * 7 + floor(power(random(), 3) * 3)::int) %% {MODELS} AS main,
    CASE WHEN random() < 0.05 THEN 'batch' ELSE 'standard' END AS tier, random() < 0.08 AS long
FROM (
    SELECT number, number %% %(days)s AS day,
        least(1439 - {MINUTES_OF_SESSION}, floor((random() + random() + random()) * 480))::int AS minute,
        CASE WHEN number / %(days)s %% 10 < {LARGE_IN_TEN} THEN 1 + floor(random() * {BUSY_KEYS})::int
            ELSE 1 + {BUSY_KEYS} + floor(random() * {SMALL_ORGANIZATIONS * SMALL_KEYS})::int END AS n
    FROM generate_series(0, %(sessions)s::int - 1) AS number
) AS chosen JOIN asker USING (n)
"""


def _prepare(connection: psycopg.Connection, askers: Iterable[Asker], sessions_: int, days: int) -> None:
    connection.execute("SELECT setseed(0.5)")
    connection.execute("SET synchronous_commit = off")
    connection.execute(
        "CREATE TEMP TABLE asker (n serial, large bool, organization_id uuid, workspace_id text, api_key_id text)"
    )
    with (
        connection.cursor() as cursor,
        cursor.copy("COPY asker (large, organization_id, workspace_id, api_key_id) FROM STDIN") as copy,
    ):
        for asker in askers:
            copy.write_row(msgspec.structs.astuple(asker))
    connection.execute(
        f"CREATE TEMP TABLE model AS SELECT row_number() OVER (ORDER BY model_name) AS n, gateway_price.*"
        f" FROM gateway_price ORDER BY model_name LIMIT {MODELS}"
    )
    connection.execute(_SESSIONS.encode(), {"sessions": sessions_, "days": days})
    connection.execute("CREATE INDEX ON session (day)")
    connection.execute("ANALYZE session, asker, model")


_RATES = {
    "input_cost": ("input", "input_tokens"),
    "cache_read_cost": ("cache_read", "cache_read_tokens"),
    "cache_write_5m_cost": ("cache_write_5m", "cache_write_5m_tokens"),
    "cache_write_1h_cost": ("cache_write_1h", "cache_write_1h_tokens"),
    "output_cost": ("output", "output_tokens"),
}
_CHARGED = ", ".join(
    f"{rate} * {tokens} * 0.000001 * CASE tier WHEN 'batch' THEN 0.5 ELSE 1 END AS {name}"
    for name, (rate, tokens) in _RATES.items()
)
_CHARGED += ", 0::numeric AS web_search_cost"
_EVENTS = f"""
INSERT INTO {{partition}} (day, attempt_id, at, request_id, organization_id, workspace_id, api_key_id, endpoint,
    attempt, model_requested, model, provider, upstream_model, stream, status, error_type, stop_reason, usage_source,
    input_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens,
    web_search_requests, service_tier, inference_geo, price_version, cost, {", ".join(COSTS)},
    latency_ms, time_to_first_token_ms, user_agent, session_id)
SELECT '{{day}}', uuidv7(at - now()), at, 'req_' || number || at_minute || one, organization_id, workspace_id,
    api_key_id, 'messages', 1, model_name, model_name, 'anthropic', model_name, true,
    CASE WHEN output_tokens > 0 THEN 200 ELSE 529 END, '', 'end_turn', 'reported',
    input_tokens, cache_read_tokens, cache_write_5m_tokens, 0, output_tokens,
    CASE WHEN random() < 0.01 THEN 1 ELSE 0 END, tier, 'global', id, {" + ".join(COSTS)}, {", ".join(COSTS)},
    3000, 700, CASE WHEN claude_code THEN 'claude-cli/2.1.332 (external, cli)' ELSE 'Anthropic/Python 2.11.0' END,
    CASE WHEN claude_code THEN md5(number::text) ELSE '' END
FROM (
    SELECT *, {_CHARGED} FROM (
        SELECT session.*, model.*, at_minute, one,
            timestamptz '{{day}} UTC' + make_interval(mins => minute + at_minute, secs => random() * 59.9) AS at,
            floor(random() * 500)::bigint AS input_tokens,
            (CASE WHEN long THEN 150000 ELSE 20000 END + at_minute * 2000)::bigint AS cache_read_tokens,
            floor(random() * 4000)::bigint AS cache_write_5m_tokens, 0::bigint AS cache_write_1h_tokens,
            floor(random() * 800)::bigint AS output_tokens
        FROM session CROSS JOIN generate_series(0, {MINUTES_OF_SESSION - 1}) AS at_minute
            CROSS JOIN generate_series(1, {EVENTS_OF_MINUTE}) AS one
            JOIN model ON model.n = CASE WHEN one = 1 AND at_minute % 4 = 0 THEN 1 ELSE main END
        WHERE day = {{number}}
    ) AS used
) AS charged
"""


def _fill(connection: psycopg.Connection, number: int, day: datetime.date) -> None:
    """A day's events and what they add to the rollups. The indexes of the partition are made when it is full."""
    partition = f"usage_event_{day:%Y%m%d}"
    with connection.transaction():
        connection.execute(
            f"CREATE TABLE {partition} (LIKE usage_event INCLUDING DEFAULTS INCLUDING CONSTRAINTS)".encode()
        )
        connection.execute(_EVENTS.format(partition=partition, day=day, number=number).encode())
    until = day + datetime.timedelta(days=1)
    connection.execute(
        f"ALTER TABLE usage_event ATTACH PARTITION {partition} FOR VALUES FROM ('{day}') TO ('{until}')".encode()
    )
    for period in ("minute", "hour", "day"):
        bucket = f"date_trunc('{period}', at, 'UTC')"
        key = {"bucket": bucket, "organization_id": "organization_id", **DIMENSIONS}
        _sum_up(connection, f"usage_{period}", key, SUMS, partition)
    which = f"{partition} WHERE starts_with(user_agent, '{sessions.USER_AGENT}')"
    _sum_up(connection, "usage_session", sessions.KEY, sessions.SUMS, which)


def _sum_up(
    connection: psycopg.Connection, table: str, key: dict[str, str], sums: dict[str, str], events: str
) -> None:
    """In the order of time, as drains would have written them."""
    places = ", ".join(str(n + 1) for n in range(len(key)))
    connection.execute(
        f"INSERT INTO {table} ({', '.join((*key, *sums))}) SELECT {', '.join((*key.values(), *sums.values()))}"
        f" FROM {events} GROUP BY {places} ORDER BY {places}".encode()
    )


def _settle(connection: psycopg.Connection) -> dict[str, int]:
    """What autovacuum would have done by now; how many rows the tables have."""
    tables = ("usage_event", "usage_minute", "usage_hour", "usage_day", "usage_session")
    connection.execute("VACUUM (ANALYZE) usage_minute, usage_hour, usage_day, usage_session")
    connection.execute("ANALYZE")
    counted = {}
    for table in tables:
        row = connection.execute(f"SELECT count(*) FROM {table}".encode()).fetchone()
        assert row is not None
        counted[table] = int(row[0])
    connection.execute("CHECKPOINT")
    return counted


if __name__ == "__main__":
    main()
