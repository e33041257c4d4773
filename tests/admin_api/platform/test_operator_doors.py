"""Who comes in at the platform API, and that nobody else changes anything there."""

from __future__ import annotations

import datetime
from collections.abc import Iterator

import pytest
from django.test import Client
from django.urls import URLPattern
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from admin_api import platform_urls
from admin_api.actions import api_keys, operator_keys
from admin_api.actor import SYSTEM
from gateway.credentials import new_secret
from gateway.models import AuditEntry, Membership, OperatorKey
from tests.admin_api.door import ME, Door, admin_key, csrf, refused, stranger
from tests.admin_api.platform.operator import PLATFORM, operator_key
from tests.admin_api.test_every_action import contents
from tests.people import Cast

TIERS = f"{PLATFORM}/tiers"


def routes() -> Iterator[tuple[str, str]]:
    """Every method of every path, about things that exist."""
    for pattern in platform_urls.urlpatterns:
        assert isinstance(pattern, URLPattern)
        view = pattern.callback.cls  # type: ignore[attr-defined]
        for method in ("get", "post", "delete"):
            if hasattr(view, method):
                yield method.upper(), f"{PLATFORM}/{pattern.pattern}"


ROUTES = sorted(routes())


def about(path: str, people: Cast) -> str:
    names = {"organizations": str(people.acme.id), "providers": "simulator", "tiers": "basic"}
    noun = path.removeprefix(f"{PLATFORM}/").partition("/")[0]
    path = path.replace("<str:organization_id>", str(people.acme.id)).replace("<str:api_key_id>", "apikey_01")
    return path.replace("<path:name>", names.get(noun, "claude-sonnet-4-5"))


def test_an_operator_key_is_taken_from_either_header(door: Door, committed_people: Cast) -> None:
    _, secret = operator_key()

    ways = [[("x-api-key", secret)], [("authorization", f"Bearer {secret}")]]
    answers = [door.ask(path=TIERS, headers=way) for way in ways]

    assert [answer.status for answer in answers] == [200, 200]
    assert (answers[0].header("request-id") or "").startswith("req_")
    assert answers[0].header("anthropic-organization-id") is None


def test_nobody_else_reads_or_changes_anything(door: Door, committed_people: Cast) -> None:
    acme = committed_people.acme
    api_key, (_, admin) = api_keys.create(actor=SYSTEM, organization=acme, name="test")[1], admin_key(acme)
    before, lines = contents(), AuditEntry.objects.count()
    callers = {
        None: (401, "authentication_error", "x-api-key header is required"),
        api_key: (403, "permission_error", "An API key cannot call the platform API; use an operator key."),
        admin: (403, "permission_error", "An Admin key cannot call the platform API; use an operator key."),
    }

    for method, path in ROUTES:
        for key, (status, kind, message) in callers.items():
            answer = door.ask(method, about(path, committed_people), key=key)
            assert refused(answer, status, kind) == message

    assert contents() == before
    assert AuditEntry.objects.count() == lines
    assert len(ROUTES) == 27


@pytest.mark.parametrize("name", ["ada", "olga"])
def test_a_session_does_not_count(door: Door, committed_people: Cast, name: str) -> None:
    Membership.objects.get_or_create(
        organization=committed_people.acme, user=committed_people.olga, defaults={"role": "admin"}
    )
    signed_in = door.signed_in(getattr(committed_people, name))
    assert signed_in.get(ME).status_code == 200

    token = {"X-CSRFToken": csrf(signed_in, "/")}

    assert signed_in.get(TIERS).status_code == 401
    assert signed_in.post(f"{TIERS}/mine", json={"limits": {}}, headers=token).status_code == 401


def test_an_operator_key_is_refused_at_the_admin_api_whatever_its_state(
    door: Door, committed_people: Cast
) -> None:
    for key in (operator_key()[1], new_secret("operator")):
        message = refused(door.ask(key=key), 403, "permission_error")
        assert message == "An operator key cannot call the Admin API; use an Admin key."


def test_a_revoked_key_is_refused_with_the_next_request(door: Door, committed_people: Cast) -> None:
    key, secret = operator_key()
    assert door.ask(path=TIERS, key=secret).status == 200

    operator_keys.revoke(actor=SYSTEM, key=key)

    assert refused(door.ask(path=TIERS, key=secret), 401, "authentication_error") == "invalid x-api-key"


def test_an_expired_key_is_refused(door: Door, committed_people: Cast) -> None:
    key, secret = operator_key()
    OperatorKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - datetime.timedelta(seconds=1))

    assert refused(door.ask(path=TIERS, key=secret), 401, "authentication_error") == "invalid x-api-key"


def test_guessing_is_throttled_together_with_the_other_doors(door: Door, committed_people: Cast) -> None:
    guesser = stranger()
    for _ in range(10):
        door.ask(key=new_secret("admin"), source=guesser)

    answers = [door.ask(path=TIERS, key=new_secret("operator"), source=guesser) for _ in range(11)]

    assert [answer.status for answer in answers] == [401] * 10 + [429]
    assert answers[-1].header("retry-after") == "60"
    assert door.ask(path=TIERS, key=operator_key()[1], source=guesser).status == 200


@pytest.mark.parametrize("key", ["", "hunter2", "sk-ant-admin01-" + "A" * 95, "sk-gw-operator01-" + "A" * 49])
def test_what_is_no_key_is_told_so(door: Door, committed_people: Cast, key: str) -> None:
    refused(door.ask(path=TIERS, key=key, source=stranger()), 401, "authentication_error")


def test_two_different_keys_at_once_are_refused(door: Door, committed_people: Cast) -> None:
    first, second = operator_key()[1], operator_key()[1]

    answer = door.ask(path=TIERS, key=first, headers=[("authorization", f"Bearer {second}")])
    no_bearer = door.ask(path=TIERS, headers=[("authorization", "Basic b2xnYTpvbGdh")])

    assert "different credentials" in refused(answer, 401, "authentication_error")
    message = refused(no_bearer, 401, "authentication_error")
    assert message == "authorization: expected `Bearer <operator key>`"


def test_a_malformed_key_and_one_of_another_kind_cost_no_query(
    db: None, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    with django_assert_num_queries(0):
        for key, status in (("hunter2", 401), (new_secret("api"), 403), (new_secret("admin"), 403)):
            answer = client.get(TIERS, headers={"x-api-key": key}, REMOTE_ADDR=stranger())
            assert answer.status_code == status


@pytest.mark.parametrize(
    "path",
    [
        "/platform/",
        "/platform/v1",
        "/platform/v1/",
        "/platform/v1/nothing",
        "/platform/v1/tiers/",
        "/platform/v1/organizations/",
        "/platform/v2/tiers",
        "/platform/v1/%00",
    ],
)
def test_a_path_that_does_not_exist_is_told_in_the_envelope(door: Door, path: str) -> None:
    for method in ("GET", "POST", "DELETE"):
        assert refused(door.ask(method, path), 404, "not_found_error") == "Not Found"


def test_what_django_itself_refuses_is_told_in_the_envelope(door: Door, committed_people: Cast) -> None:
    _, secret = operator_key()
    json = ("content-type", "application/json")

    method = door.ask("PUT", TIERS, key=secret)
    host = door.ask(path=TIERS, headers=[("Host", "evil.example")])
    form = door.ask("POST", f"{TIERS}/mine", key=secret, headers=[("content-type", "text/plain")], body=b"a")
    broken = door.ask("POST", f"{TIERS}/mine", key=secret, headers=[json], body=b"{")

    assert refused(method, 405, "invalid_request_error") == "Method Not Allowed; this path knows GET"
    assert refused(host, 400, "invalid_request_error") == "host: not a name of this gateway"
    assert refused(form, 415, "invalid_request_error") == "content-type: expected application/json"
    assert refused(broken, 400, "invalid_request_error").startswith("The request body is not valid JSON")
