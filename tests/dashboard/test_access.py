"""Every address of the dashboard as everybody: an address without an entry here fails."""

from __future__ import annotations

import re

import pytest
import redis
from django.test import Client

from dashboard import urls
from tests.batches.rows import batch_of
from tests.dashboard.test_pages import as_, used
from tests.people import Cast

pytestmark = pytest.mark.django_db

ROLES = ("anonymous", "ada", "dev", "bill", "uma", "olga")
MEMBERS = {"anonymous": 302, "ada": 200, "dev": 200, "bill": 200, "uma": 200, "olga": 200}
NOT_USERS = {**MEMBERS, "uma": 403}
MONEY = {**MEMBERS, "dev": 403, "uma": 403}
WORKERS = {**MEMBERS, "bill": 403}
POST_ONLY = dict.fromkeys(ROLES, 405)
LED_AWAY = dict.fromkeys(ROLES, 302)
ADMINS = {
    **dict.fromkeys(ROLES, 403),
    "anonymous": 302,
    "ada": 200,
    "olga": 200,
}  # Olga reads that she has none
NO_SUCH_LINK = dict.fromkeys(ROLES, 404)
ABSENT = {**NO_SUCH_LINK, "anonymous": 302, "olga": 200}
READERS = {**MEMBERS, "bill": 403, "uma": 403}
ADMINS = {**READERS, "dev": 403}
PROOF_FIRST = dict.fromkeys(ROLES, 302)  # these sessions of tests have none that is fresh
KEYS = {"anonymous": 302, "ada": 200, "dev": 200, "bill": 403, "uma": 403, "olga": 200}
KEY = {**KEYS, "ada": 404, "dev": 404}
# Of operators, who may be nobody's members; of members with a role, and of operators.
OPERATORS = {**NO_SUCH_LINK, "anonymous": 302, "olga": 200}
NOBODY = {**NO_SUCH_LINK, "anonymous": 302}
CATALOG_READERS = {**dict.fromkeys(ROLES, 403), "anonymous": 302, "ada": 200, "dev": 200, "olga": 200}
AUDITORS = {**CATALOG_READERS, "dev": 403}
NOTHING_THERE = {**CATALOG_READERS, "ada": 404, "dev": 404, "olga": 404}
GET = {
    "models": CATALOG_READERS,
    "models/health": OPERATORS | {"olga": 302},
    "models/new": OPERATORS,
    "models/published-prices": OPERATORS,
    "models/of/<path:name>": NOTHING_THERE,
    "models/edit/<path:name>": NOBODY,
    "models/price/<path:name>": NOBODY,
    "models/remove/<path:name>": POST_ONLY,
    "providers/new": OPERATORS,
    "providers/of/<path:name>": NOBODY,
    "providers/edit/<path:name>": NOBODY,
    "providers/drain/<path:name>": POST_ONLY,
    "providers/put-back/<path:name>": POST_ONLY,
    "providers/remove/<path:name>": POST_ONLY,
    "providers/keys/add/<path:name>": POST_ONLY,
    "providers/keys/<int:id>/remove/<path:name>": POST_ONLY,
    "providers/test/<path:name>": POST_ONLY,
    "providers/tests/<int:id>/<path:name>": NOBODY,
    "audit-log": AUDITORS,
    "audit-log/new": AUDITORS | {"ada": 302, "olga": 302},
    "audit-log/verify": AUDITORS,
    "audit-log.csv": AUDITORS,
    "audit-log/<int:id>": AUDITORS | {"ada": 404, "olga": 404},
    "organizations": OPERATORS,
    "organizations/new": OPERATORS,
    "organizations/<str:id>": NOBODY,
    "organizations/<str:id>/edit": NOBODY,
    "organizations/<str:id>/suspend": POST_ONLY,
    "organizations/<str:id>/resume": POST_ONLY,
    "organizations/<str:id>/credit": POST_ONLY,
    "organizations/<str:id>/prepaid": POST_ONLY,
    "tiers": OPERATORS,
    "tiers/new": OPERATORS,
    "tiers/of/<path:name>": NOBODY,
    "tiers/remove/<path:name>": POST_ONLY,
    "operator-keys": OPERATORS,
    "operator-keys/new": dict.fromkeys(ROLES, 302),  # asks who it is first
    "operator-keys/<str:id>/revoke": POST_ONLY,
    "": MEMBERS,
    "overview/usage": MEMBERS,
    "overview/limits": MEMBERS,
    "usage": MEMBERS,
    "usage.csv": MEMBERS,
    "usage/ask": MEMBERS,
    "cost": NOT_USERS,
    "cost.csv": NOT_USERS,
    "cost/budgets/new": MONEY,
    "cost/budgets/<str:id>": {**MONEY, "ada": 404, "bill": 404},
    "cost/budgets/<str:id>/remove": POST_ONLY,
    "cost/requests/<str:id>": {**MONEY, "ada": 404, "bill": 404},
    "limits": MEMBERS,
    "workspaces": READERS,
    "workspaces/new": ADMINS,
    "workspaces/<str:id>": ABSENT,
    "workspaces/<str:id>/edit": POST_ONLY,
    "workspaces/<str:id>/models": POST_ONLY,
    "workspaces/<str:id>/contents": POST_ONLY,
    "workspaces/<str:id>/archive": PROOF_FIRST,
    "workspaces/<str:id>/members": ABSENT,
    "workspaces/<str:id>/members/add": POST_ONLY,
    "workspaces/<str:id>/members/<str:user_id>/role": POST_ONLY,
    "workspaces/<str:id>/members/<str:user_id>/remove": POST_ONLY,
    "workspaces/<str:id>/limits": ABSENT,
    "workspaces/<str:id>/limits/<str:rate_limit_id>": POST_ONLY,
    "workspaces/<str:id>/keys": ABSENT,
    "workspaces/<str:id>/spend": ABSENT,
    "members": READERS,
    "members.csv": READERS,
    "members/invite": ADMINS,
    "members/invites": READERS,
    "members/invites/<str:id>/link": POST_ONLY,
    "members/invites/<str:id>/resend": POST_ONLY,
    "members/invites/<str:id>/revoke": POST_ONLY,
    "members/service-accounts": READERS,
    "members/service-accounts/new": ADMINS,
    "members/service-accounts/<str:id>": {**READERS, "ada": 404, "dev": 404},
    "members/service-accounts/<str:id>/edit": POST_ONLY,
    "members/service-accounts/<str:id>/archive": PROOF_FIRST,
    "members/service-accounts/<str:id>/place": POST_ONLY,
    "members/service-accounts/<str:id>/remove/<str:workspace_id>": POST_ONLY,
    "members/<str:id>": {**READERS, "ada": 404, "dev": 404},
    "members/<str:id>/role": POST_ONLY,
    "members/<str:id>/remove": PROOF_FIRST,
    "api-keys": KEYS,
    "api-keys.csv": KEYS,
    "api-keys/new": KEYS,
    "api-keys/find": KEYS,
    "api-keys/<str:id>": KEY,
    "api-keys/<str:id>/first-request": KEY,
    "api-keys/<str:id>/edit": KEY,
    "api-keys/<str:id>/rotate": dict.fromkeys(ROLES, 302),
    "api-keys/<str:id>/switch": POST_ONLY,
    "api-keys/<str:id>/archive": dict.fromkeys(ROLES, 302),
    "batches": MEMBERS,
    "batches/new": {**MEMBERS, "bill": 403, "uma": 403},
    "batches/<str:id>/again": ABSENT,
    "batches/<str:id>": ABSENT,
    "batches/<str:id>/items/<int:number>": {**NO_SUCH_LINK, "anonymous": 302, "olga": 200},
    "batches/<str:id>/<str:name>.jsonl": {**NO_SUCH_LINK, "anonymous": 302, "olga": 200},
    "batches/<str:id>/events": ABSENT,
    "batches/<str:id>/cancel": POST_ONLY,
    "playground": WORKERS,
    "playground/models": WORKERS,
    "playground/answers/<str:id>": WORKERS,
    "playground/requests/<str:id>": POST_ONLY,
    "playground/prompts": POST_ONLY,
    "playground/prompts/<str:id>/delete": POST_ONLY,
    "playground/permit": POST_ONLY,
    "logs": {**MEMBERS, "bill": 403},
    "logs.csv": {**MEMBERS, "bill": 403},
    "logs.json": {**MEMBERS, "bill": 403},
    "logs/events": {**MEMBERS, "bill": 403},
    "logs/<str:id>/content": {**LED_AWAY, "bill": 403, "olga": 200},
    "logs/<str:id>": {**NO_SUCH_LINK, "anonymous": 302, "olga": 200, "bill": 403},
    "quickstart": MEMBERS,
    "quickstart/first-request": {**dict.fromkeys(ROLES, 302), "olga": 200},
    "login": {**dict.fromkeys(ROLES, 302), "anonymous": 200},
    "reauthenticate": MEMBERS,
    "login/passkey": POST_ONLY,
    "login/passkey/options": POST_ONLY,
    "login/second-factor": LED_AWAY,
    "login/second-factor/options": POST_ONLY,
    "login/sso": dict.fromkeys(ROLES, 200),
    "login/sso/needed": LED_AWAY,  # nobody asks them to
    "login/sso/<str:id>/callback": NO_SUCH_LINK,
    "login/sso/<str:id>/acs": POST_ONLY,
    "login/sso/<str:id>/answer/<str:token>": NO_SUCH_LINK,
    "login/sso/<str:id>/metadata": NO_SUCH_LINK,
    "login/cancel": POST_ONLY,
    "reauthenticate/options": POST_ONLY,
    "forgotten": dict.fromkeys(ROLES, 200),
    "confirm-email/<str:token>": NO_SUCH_LINK,
    "settings": MEMBERS,
    "settings/security": MEMBERS,
    "settings/password": MEMBERS,
    "settings/email": POST_ONLY,
    "settings/second-factor": LED_AWAY,  # nobody asks them for one
    "settings/authenticator": LED_AWAY,  # they signed in a while ago
    "settings/passkeys": LED_AWAY,
    "settings/passkeys/options": POST_ONLY,
    "settings/second-factors/<str:id>": LED_AWAY,
    "settings/recovery-codes": LED_AWAY,
    "settings/sessions/end": POST_ONLY,
    "settings/sessions/end-others": POST_ONLY,
    "settings/organization": ADMINS,
    "settings/sso": ADMINS,
    "settings/sso/new/<str:kind>": LED_AWAY,
    "settings/sso/edit": LED_AWAY,
    "settings/sso/test": POST_ONLY,
    "settings/sso/turn": POST_ONLY,
    "settings/sso/require": POST_ONLY,
    "settings/sso/remove": LED_AWAY,
    "settings/webhooks": ADMINS,
    "settings/webhooks/new": LED_AWAY,
    "settings/webhooks/<str:id>": {**ADMINS, "ada": 404},
    "settings/webhooks/<str:id>/test": POST_ONLY,
    "settings/webhooks/<str:id>/secret": LED_AWAY,
    "settings/webhooks/<str:id>/delete": LED_AWAY,
    "logout": POST_ONLY,
    "invites/<str:token>": NO_SUCH_LINK,
    "reset/<str:token>": NO_SUCH_LINK,
    "search": MEMBERS,
    "ui": NO_SUCH_LINK,
    "theme": POST_ONLY,
    "time-zone": POST_ONLY,
    "shortcuts": POST_ONLY,
    "organization": POST_ONLY,
}
OF_ORGANIZATIONS = (
    "",
    "overview/usage",
    "overview/limits",
    "usage",
    "usage.csv",
    "usage/ask",
    "cost",
    "cost.csv",
    "cost/budgets/new",
    "limits",
    "limits",
    "workspaces",
    "members",
    "members/invites",
    "members/service-accounts",
    "limits",
    "api-keys",
    "batches",
    "playground",
    "quickstart",
    "quickstart/first-request",
    "settings",
    "settings/organization",
    "settings/sso",
    "settings/webhooks",
)


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """Gauges read Valkey."""


def _filled(pattern: str) -> str:
    return re.sub(r"<int:\w+>", "987654321", re.sub(r"<(str|path):\w+>", "x", pattern))


def test_every_address_has_an_entry() -> None:
    assert {str(one.pattern) for one in urls.urlpatterns} == set(GET)


@pytest.mark.parametrize("role", ROLES)
def test_every_address_answers_each_role_as_it_should(client: Client, people: Cast, role: str) -> None:
    if role != "anonymous":
        as_(client, getattr(people, role))
    answers = {pattern: client.get(f"/{_filled(pattern)}") for pattern in GET}
    statuses = {pattern: answer.status_code for pattern, answer in answers.items()}
    assert statuses == {pattern: expected[role] for pattern, expected in GET.items()}


@pytest.mark.parametrize("who", ["mallory", "olga"])
def test_nothing_of_another_organization_shows_anywhere(client: Client, people: Cast, who: str) -> None:
    used(people.acme, "model-of-acme", requests=77777)
    batch = batch_of(people.acme)
    as_(client, getattr(people, who))
    for pattern in OF_ORGANIZATIONS:
        for headers in ({}, {"hx-request": "true"}):
            page = client.get("/" + pattern, headers=headers).getvalue().decode()
            for secret in (
                "Acme",
                "model-of-acme",
                "77,777",
                "77.8K",
                str(people.acme.id),
                "ada@example.com",
                batch.id,
            ):
                assert secret not in page, (pattern, secret)


def test_an_id_in_the_session_opens_no_foreign_organization(client: Client, people: Cast) -> None:
    as_(client, people.mallory)
    session = client.session
    session["organization"] = str(people.acme.id)
    session.save()
    assert client.get("/").context["frame"].place.organization == people.umbrella
