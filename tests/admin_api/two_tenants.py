"""Acme and Umbrella, each with two of everything that an organization can have, and everybody who may ask.

The rows are those of one transaction that is never committed; each test goes back to them.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
import functools
import itertools
import re
import uuid
from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.contrib.sessions.backends.base import SessionBase
from django.db import connection, transaction
from django.http import HttpResponse
from django.test import Client
from django.utils import timezone

from admin_api import webhook_events
from admin_api.actions import (
    api_keys,
    credit,
    invites,
    model_groups,
    models,
    operator_keys,
    organizations,
    providers,
    service_account_workspaces,
    service_accounts,
    spend_limit_increase_requests,
    spend_limits,
    tiers,
    webhook_endpoints,
    workspace_members,
    workspaces,
)
from admin_api.actor import SYSTEM
from admin_api.authentication import CHOSEN_ORGANIZATION
from admin_api.catalog import RouteTo
from admin_api.queries.rate_limits import rate_limits
from gateway.ids import new_id
from gateway.models import ApiKey, Membership, OperatorKey, Organization, ServiceAccount, User
from tests.admin_api.door import admin_key
from tests.admin_api.refused import refused
from tests.admin_api.routes import Route
from tests.admin_api.spending import spent
from tests.people import cast, person

LONG_AGO = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
Refusal = tuple[int, str, str]  # status, type, message

UNKNOWN = (401, "authentication_error", "invalid x-api-key")
NOBODY = (401, "authentication_error", "x-api-key header is required")
NO_ADMIN = (403, "permission_error", "Only admins of an organization may call the Admin API.")
NO_ADMIN_KEY = (403, "permission_error", "An API key cannot call the Admin API; use an Admin key.")
NO_OPERATOR = (403, "permission_error", "An {} key cannot call the platform API; use an operator key.")
SUSPENDED = (403, "permission_error", "This organization has been suspended.")
FORGED = (
    403,
    "permission_error",
    "CSRF Failed: CSRF cookie not set. Changes by a session need the token of the dashboard's pages in the header "
    "X-CSRFToken.",
)
OPERATOR_AT_ADMIN_API = (
    403,
    "permission_error",
    "An operator key cannot call the Admin API; use an Admin key.",
)


_addresses = itertools.count(1)


@dataclasses.dataclass(frozen=True)
class Caller:
    """Somebody with a key or a session (or with nothing), and how the two APIs refuse them; None is served."""

    name: str
    client: Client
    admin_api: Refusal | None
    platform: Refusal | None
    writes: Refusal | None = None  # of the Admin API, where only reading is served

    def refusal(self, route: Route) -> Refusal | None:
        if route.is_platform:
            return self.platform
        return self.admin_api if route.method == "GET" else self.admin_api or self.writes

    def ask(self, route: Route, path: str, body: Any = None, query: Any = None) -> HttpResponse:
        """Each time from another address: who guesses keys is soon told to wait."""
        method, address = getattr(self.client, route.method.lower()), f"fd00::{next(_addresses):x}"
        if route.method == "GET":
            return method(path, query, REMOTE_ADDR=address)  # type: ignore[no-any-return]
        return method(path, body, content_type="application/json", REMOTE_ADDR=address)  # type: ignore[no-any-return]


class Scene:
    def __init__(self) -> None:
        people = cast()
        self.umbrella_row = people.umbrella
        self.acme = furnished(people.acme) | catalog()
        self.umbrella = furnished(people.umbrella)
        elsewhere = person("Ewan", people.acme, Membership.Role.ADMIN)
        Membership.objects.create(
            organization=people.umbrella, user=elsewhere, role="developer", added_at=LONG_AGO
        )
        self.of_both = {elsewhere.id}
        gone = organizations.create(actor=SYSTEM, name="Gone", tier=people.acme.tier)
        suspended = admin_key(gone)[1]
        organizations.suspend(actor=SYSTEM, organization=gone)
        claude = person("Claude", people.acme, Membership.Role.CLAUDE_CODE_USER)
        self.admin = with_key("Acme's Admin key", admin_key(people.acme)[1], None, "Admin")
        self.mallory = with_key("Umbrella's Admin key", admin_key(people.umbrella)[1], None, "Admin")
        self.operator = Caller("an operator key", keyed(operator_key()[1]), OPERATOR_AT_ADMIN_API, None)
        self.callers = [
            self.admin,
            self.operator,
            Caller("nobody", keyed(None), NOBODY, NOBODY),
            Caller("a key that nobody made", keyed("sk-ant-admin01-" + "x" * 95), UNKNOWN, UNKNOWN),
            Caller("an inactive operator key", keyed(revoked_operator_key()), OPERATOR_AT_ADMIN_API, UNKNOWN),
            Caller("an expired operator key", keyed(expired_operator_key()), OPERATOR_AT_ADMIN_API, UNKNOWN),
            with_key("a suspended organization's Admin key", suspended, SUSPENDED, "Admin"),
            *(
                with_key(f"an {status} Admin key", stopped(people.acme, status), UNKNOWN, "Admin")
                for status in ("inactive", "archived", "expired")
            ),
            *(
                with_key(name, api_key(people.acme, **acts_for), NO_ADMIN_KEY, "API")
                for name, acts_for in self._api_keys(people.ada).items()
            ),
            *(session(user, NO_ADMIN) for user in (people.dev, people.bill, people.uma, claude, people.olga)),
            session(elsewhere, NO_ADMIN, chosen=people.umbrella),
            session(people.ada, None),
            session(people.ada, None, forged=True),
        ]

    def _api_keys(self, ada: User) -> dict[str, dict[str, Any]]:
        bot = ServiceAccount.objects.get(pk=self.acme["service_account_id"])
        return {
            "an API key": {},
            "an API key of an admin": {"user": ada},
            "an API key of a service account": {"service_account": bot},
        }

    def who_may(self, route: Route) -> Caller:
        return self.operator if route.is_platform else self.admin


@contextlib.contextmanager
def undone() -> Iterator[None]:
    """Whatever is changed within was never changed."""
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def furnished(organization: Organization) -> dict[str, str]:
    """Two of everything; the ids of the first ones by the names that paths have for them."""
    name, of = organization.name, functools.partial(dict, actor=SYSTEM, organization=organization)
    member, other = (person(f"{name}-{role}", organization, role) for role in ("developer", "user"))
    lab, shop = (workspaces.create(**of(name=f"{name}'s {place}")) for place in ("lab", "shop"))
    bot, second = (service_accounts.create(**of(name=f"{name.lower()}-{n}")) for n in (1, 2))
    workspace_members.add(
        actor=SYSTEM, workspace=lab, membership=member.memberships.get(), role="workspace_user"
    )
    for workspace, account in ((lab, bot), (lab, second), (shop, bot)):
        service_account_workspaces.add(
            actor=SYSTEM, workspace=workspace, service_account=account, role="workspace_user"
        )
    invited = [
        invites.create(**of(email=f"{name.lower()}-invited-{n}@example.com", role="user"))[0] for n in (1, 2)
    ]
    keys = [
        api_keys.create(**of(name=f"{name}'s key {n}", workspace=lab, user=member, created_by=member))[0]
        for n in (1, 2)
    ]
    for key in keys:
        spent(key, "1.25", timezone.now() - datetime.timedelta(days=1))
    refusals = [refused(key, timezone.now() - datetime.timedelta(hours=1)) for key in keys]
    limits = [
        spend_limits.set_amount(**of(period="daily", amount=100 * n, user=user))
        for n, user in enumerate((member, other))
    ]
    wishes = [
        spend_limit_increase_requests.create(actor=SYSTEM, membership=user.memberships.get(), period="daily")
        for user in (member, other)
    ]
    return {
        "organization_id": str(organization.id),
        "user_id": member.id,
        "other_user_id": other.id,
        "email": member.email,
        "invited": invited[0].email,
        "workspace_id": lab.id,
        "invite_id": invited[0].id,
        "api_key_id": keys[0].id,
        "service_account_id": bot.id,
        "admin_key_id": admin_key(organization)[0].id,
        "spend_limit_id": limits[0].id,
        "request_id": wishes[0].id,
        "refused_request_id": refusals[0].request_id,
        "webhook_endpoint_id": paid_and_told(organization),
        "rate_limit_id": rate_limits(organization)[0].id,
    }


def paid_and_told(organization: Organization) -> str:
    """Two entries of credit, and two webhook endpoints; the id of the first one."""
    for amount in (5000, -100):
        credit.adjust(actor=SYSTEM, organization=organization, amount=amount)
    first, _ = [
        webhook_endpoints.create(
            actor=SYSTEM,
            organization=organization,
            url=f"https://1.0.0.{n}/{organization.name}",
            enabled_events=webhook_events.TYPES,
        )[0]
        for n in (1, 2)
    ]
    return first.id


def catalog() -> dict[str, str]:
    """What operators may remove; it belongs to nobody."""
    providers.upsert(actor=SYSTEM, name="p", dialect="anthropic", base_url="http://10.0.0.1")
    model_groups.upsert(actor=SYSTEM, name="g")
    models.upsert(actor=SYSTEM, name="m", routes=[RouteTo("simulator", "m")])
    tiers.upsert(actor=SYSTEM, name="t", limits={})
    return {"provider": "p", "model_group": "g", "model": "m", "tier": "t"}


def with_key(name: str, secret: str, admin_api: Refusal | None, kind: str) -> Caller:
    status, type, message = NO_OPERATOR
    return Caller(name, keyed(secret), admin_api, (status, type, message.format(kind)))


def keyed(secret: str | None) -> Client:
    return Client(headers={"x-api-key": secret} if secret else {})


def session(
    user: User, admin_api: Refusal | None, *, chosen: Organization | None = None, forged: bool = False
) -> Caller:
    """Signed in; `forged` are requests without the token that the pages of the dashboard hold."""
    client = Client(enforce_csrf_checks=forged)
    client.force_login(user)
    if chosen is not None:
        held: SessionBase = client.session
        held[CHOSEN_ORGANIZATION] = str(chosen.id)
        held.save()
    name = f"{user.name}, signed in{' elsewhere' if chosen else ''}{' without a token' if forged else ''}"
    return Caller(name, client, admin_api, NOBODY, FORGED if forged else None)


def api_key(organization: Organization, **acts_for: Any) -> str:
    return api_keys.create(actor=SYSTEM, organization=organization, name="API", **acts_for)[1]


def stopped(organization: Organization, status: str) -> str:
    key, secret = admin_key(organization)
    if status == "expired":
        ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now())
    else:
        api_keys.update(actor=SYSTEM, key=key, status=status)
    return secret


def operator_key() -> tuple[OperatorKey, str]:
    return operator_keys.create(actor=SYSTEM, name="Olga's")


def revoked_operator_key() -> str:
    key, secret = operator_key()
    operator_keys.revoke(actor=SYSTEM, key=key)
    return secret


def expired_operator_key() -> str:
    key, secret = operator_key()
    OperatorKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - datetime.timedelta(seconds=1))
    return secret


def like(id: str) -> str:
    """Another id of the same form, which nothing has."""
    if match := re.fullmatch(r"([a-z]+)_01\w{22}", id):
        return new_id(match[1])
    if "@" in id:
        return f"nobody-{uuid.uuid4().hex}@example.com"
    return str(uuid.UUID(id) and uuid.uuid4())


def every_row() -> list[tuple[str, str]]:
    """Table and content of every row of the gateway, the audit log among them."""
    with connection.cursor() as cursor:
        cursor.execute(_query())
        return cursor.fetchall()


@functools.cache
def _query() -> str:
    tables = [model._meta.db_table for model in apps.get_app_config("gateway").get_models()]
    return (
        " UNION ALL ".join(f"SELECT '{table}', t::text FROM {table} t" for table in tables) + " ORDER BY 1, 2"
    )
