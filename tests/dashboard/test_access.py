"""Every address of the dashboard as everybody: an address without an entry here fails."""

from __future__ import annotations

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
POST_ONLY = dict.fromkeys(ROLES, 405)
NO_SUCH_LINK = dict.fromkeys(ROLES, 404)
GET = {
    "": MEMBERS,
    "overview/usage": MEMBERS,
    "usage": MEMBERS,
    "usage.csv": MEMBERS,
    "limits": MEMBERS,
    "batches": MEMBERS,
    "batches/<str:id>": {**NO_SUCH_LINK, "anonymous": 302, "olga": 200},
    "batches/<str:id>/events": {**NO_SUCH_LINK, "anonymous": 302, "olga": 200},
    "batches/<str:id>/cancel": POST_ONLY,
    "logs": {**MEMBERS, "bill": 403},
    "logs.csv": {**MEMBERS, "bill": 403},
    "logs.json": {**MEMBERS, "bill": 403},
    "logs/events": {**MEMBERS, "bill": 403},
    "logs/<str:id>": {**NO_SUCH_LINK, "anonymous": 302, "olga": 200, "bill": 403},
    "quickstart": MEMBERS,
    "quickstart/first-request": {**dict.fromkeys(ROLES, 302), "olga": 200},
    "login": {**dict.fromkeys(ROLES, 302), "anonymous": 200},
    "reauthenticate": MEMBERS,
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
    "usage",
    "usage.csv",
    "limits",
    "batches",
    "quickstart",
    "quickstart/first-request",
)


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """Gauges read Valkey."""


def test_every_address_has_an_entry() -> None:
    assert {str(one.pattern) for one in urls.urlpatterns} == set(GET)


@pytest.mark.parametrize("role", ROLES)
def test_every_address_answers_each_role_as_it_should(client: Client, people: Cast, role: str) -> None:
    if role != "anonymous":
        as_(client, getattr(people, role))
    answers = {
        pattern: client.get("/" + pattern.replace("<str:token>", "x").replace("<str:id>", "x"))
        for pattern in GET
    }
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
