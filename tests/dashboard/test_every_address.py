"""What holds at every address of the dashboard alike: looking changes nothing, and nobody else's page can act."""

from __future__ import annotations

import re

import pytest
import redis
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from dashboard import urls
from tests.dashboard.test_access import _filled
from tests.dashboard.test_headers import POLICY
from tests.dashboard.test_pages import freshly
from tests.people import Cast

pytestmark = pytest.mark.django_db

PATHS = sorted({f"/{_filled(str(one.pattern))}" for one in urls.urlpatterns})
WRITES = re.compile(r"\s*(INSERT|UPDATE|DELETE|TRUNCATE)\b", re.IGNORECASE)
# A session that is used stays awake.
OF_SESSIONS = re.compile(r'\s*UPDATE "gateway_session"|\s*(INSERT INTO|UPDATE) "django_session"')
# What an identity provider's page posts, without our cookies: it waits for the browser that asked (test_sso_saml.py).
OF_PROVIDERS = re.compile("/login/sso/[^/]+/acs")
OPEN_TO_ALL = {"/login", "/logout"}
OURS = [path for path in PATHS if not OF_PROVIDERS.fullmatch(path)]


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """Gauges read Valkey."""


@pytest.mark.parametrize("who", ["ada", "olga", "nobody"])
def test_looking_changes_nothing_and_every_answer_carries_the_strict_headers(
    client: Client, people: Cast, who: str
) -> None:
    if who != "nobody":
        freshly(client, getattr(people, who))
    written = {}
    for path in PATHS:
        with CaptureQueriesContext(connection) as asked:
            answer = client.get(path)
        sql = [one["sql"] for one in asked if WRITES.match(one["sql"]) and not OF_SESSIONS.match(one["sql"])]
        if sql:
            written[path] = sql
        assert set(answer["content-security-policy"].split("; ")) == POLICY, path
        assert answer["x-content-type-options"] == "nosniff", path
        assert answer["x-frame-options"] == "DENY", path
        assert answer["referrer-policy"] == "same-origin", path
        if answer.status_code == 200:
            assert "no-store" in answer["cache-control"], path
    assert written == {}


@pytest.mark.parametrize("who", ["ada", "olga"])
def test_nothing_is_done_without_the_token_of_a_page(people: Cast, who: str) -> None:
    client = Client(enforce_csrf_checks=True)
    freshly(client, getattr(people, who))
    answers = {path: client.post(path).status_code for path in OURS}
    assert {path: status for path, status in answers.items() if status not in (403, 405)} == {}


@pytest.mark.parametrize("who", ["ada", "olga"])
def test_nothing_is_done_for_the_page_of_another_site(people: Cast, who: str) -> None:
    """Not even with the right token: its origin tells on it."""
    client = Client(enforce_csrf_checks=True)
    freshly(client, getattr(people, who))
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get("/").content.decode())
    assert token is not None
    hostile = {"origin": "https://evil.example", "x-csrftoken": token[1]}
    answers = {path: client.post(path, headers=hostile).status_code for path in OURS}
    assert {path: status for path, status in answers.items() if status not in (403, 405)} == {}
