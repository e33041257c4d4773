"""The doors of the Admin API: who comes in by which credential, and how everybody else is told."""

from __future__ import annotations

import datetime

import httpx
import pytest
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import api_keys
from admin_api.actor import SYSTEM
from gateway.credentials import new_secret
from gateway.models import ApiKey, Membership, Organization
from tests.admin_api.door import ME, Door, admin_key, csrf, refused, stranger
from tests.data_plane.wire import Headers
from tests.people import Cast


def test_the_official_sdk_reads_its_organization(door: Door, committed_people: Cast) -> None:
    _, secret = admin_key(committed_people.acme)

    organization = door.sdk(secret).organization.retrieve()

    assert organization.to_dict() == {
        "id": str(committed_people.acme.id),
        "type": "organization",
        "name": "Acme",
    }


def test_a_base_url_that_ends_in_v1_works_as_well(door: Door, committed_people: Cast) -> None:
    _, secret = admin_key(committed_people.acme)

    assert door.sdk(secret, "/v1").organization.retrieve().name == "Acme"


def test_an_answer_names_its_request_and_the_organization(door: Door, committed_people: Cast) -> None:
    _, secret = admin_key(committed_people.acme)

    first, second = door.ask(key=secret), door.ask(key=secret)

    assert (first.header("request-id") or "").startswith("req_")
    assert first.header("request-id") != second.header("request-id")
    assert first.header("anthropic-organization-id") == str(committed_people.acme.id)
    assert first.header("content-type") == "application/json"


def test_each_key_sees_its_own_organization(door: Door, committed_people: Cast) -> None:
    keys = [admin_key(one)[1] for one in (committed_people.acme, committed_people.umbrella)]

    assert [door.ask(key=key).json["name"] for key in keys] == ["Acme", "Umbrella"]


def test_a_key_is_taken_from_either_header_or_both_when_they_agree(
    door: Door, committed_people: Cast
) -> None:
    _, secret = admin_key(committed_people.acme)
    key, bearer = ("x-api-key", secret), ("authorization", f"Bearer {secret}")

    ways = [[key], [bearer], [("authorization", f"bearer {secret}")], [key, bearer]]

    assert [door.ask(headers=way).status for way in ways] == [200] * 4


def test_two_different_keys_at_once_are_refused(door: Door, committed_people: Cast) -> None:
    first, second = (admin_key(committed_people.acme)[1] for _ in range(2))

    answer = door.ask(key=first, headers=[("authorization", f"Bearer {second}")])

    assert (
        refused(answer, 401, "authentication_error")
        == "x-api-key and authorization hold different credentials"
    )


# With what the data plane says to the same headers, word for word.
BAD_HEADERS: dict[str, Headers] = {
    "nothing": [],
    "an empty key": [("x-api-key", "")],
    "a word": [("x-api-key", "hunter2")],
    "a key of another house": [("x-api-key", "sk-ant-admin01-" + "A" * 95)],
    "a key with a wrong checksum": [("x-api-key", new_secret("admin")[:-1] + "!")],
    "a key in Latin-1": [("x-api-key", "sk-gw-admin01-\xe9")],
    "an unknown key": [("x-api-key", new_secret("admin"))],
    "an unknown version": [("anthropic-version", "1999-01-01"), ("x-api-key", "hunter2")],
    "a foreign host": [("Host", "evil.example"), ("x-api-key", "hunter2")],
    "no host": [("Host", ""), ("x-api-key", "hunter2")],
}


@pytest.mark.parametrize("headers", BAD_HEADERS.values(), ids=BAD_HEADERS)
def test_a_refusal_reads_as_on_the_data_plane(door: Door, headers: Headers) -> None:
    named = any(name == "anthropic-version" for name, _ in headers)
    told = headers if named else [*headers, ("anthropic-version", "2023-06-01")]
    here, there = (door.ask(path=path, headers=told, source=stranger()) for path in (ME, "/v1/models"))

    assert here.status == there.status >= 400
    assert here.json["error"] == there.json["error"]
    assert here.json["request_id"] == here.header("request-id")


def test_a_malformed_key_costs_no_query_and_a_key_one(
    people: Cast, client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, secret = admin_key(people.acme)
    bent = secret[:-1] + ("A" if secret[-1] != "A" else "B")

    with django_assert_num_queries(0):
        assert client.get(ME, headers={"x-api-key": bent}, REMOTE_ADDR=stranger()).status_code == 401
    with django_assert_num_queries(1):
        assert client.get(ME, headers={"x-api-key": secret}).status_code == 200


def test_an_api_key_is_told_to_be_an_admin_key(door: Door, committed_people: Cast) -> None:
    _, secret = api_keys.create(actor=SYSTEM, organization=committed_people.acme, name="test")

    message = refused(door.ask(key=secret), 403, "permission_error")

    assert message == "An API key cannot call the Admin API; use an Admin key."


@pytest.mark.parametrize("status", [ApiKey.Status.INACTIVE, ApiKey.Status.ARCHIVED])
def test_a_key_that_is_switched_off_is_refused_at_once(
    door: Door, committed_people: Cast, status: str
) -> None:
    key, secret = admin_key(committed_people.acme)
    assert door.ask(key=secret).status == 200

    api_keys.update(actor=SYSTEM, key=key, status=status)

    assert refused(door.ask(key=secret), 401, "authentication_error") == "invalid x-api-key"


def test_an_expired_key_is_refused(door: Door, committed_people: Cast) -> None:
    key, secret = admin_key(committed_people.acme)
    ApiKey.objects.filter(pk=key.pk).update(expires_at=timezone.now() - datetime.timedelta(seconds=1))

    refused(door.ask(key=secret), 401, "authentication_error")


def test_a_suspended_organization_is_told_so(door: Door, committed_people: Cast) -> None:
    _, secret = admin_key(committed_people.acme)
    ada = door.signed_in(committed_people.ada)
    Organization.objects.filter(pk=committed_people.acme.pk).update(suspended_at=timezone.now())

    message = refused(door.ask(key=secret), 403, "permission_error")

    assert message == "This organization has been suspended."
    assert ada.get(ME).status_code == 403


def test_guessing_is_throttled_together_with_the_data_plane(door: Door, committed_people: Cast) -> None:
    guesser = stranger()
    for _ in range(10):
        door.ask(path="/v1/models", key=new_secret("api"), source=guesser)

    answers = [door.ask(key=new_secret("admin"), source=guesser) for _ in range(11)]

    assert [answer.status for answer in answers] == [401] * 10 + [429]
    assert refused(answers[-1], 429, "rate_limit_error") == "Too many requests with invalid API keys."
    assert answers[-1].header("retry-after") == "60"
    assert door.ask(path="/v1/models", key=new_secret("api"), source=guesser).status == 429
    assert door.ask(key=admin_key(committed_people.acme)[1], source=guesser).status == 200
    assert door.ask(key=new_secret("admin"), source=stranger()).status == 401


def test_an_admin_who_is_signed_in_comes_in_without_a_key(door: Door, committed_people: Cast) -> None:
    ada = door.signed_in(committed_people.ada)

    answer = ada.get(ME)

    assert (answer.status_code, answer.json()["name"]) == (200, "Acme")
    assert answer.headers["anthropic-organization-id"] == str(committed_people.acme.id)


@pytest.mark.parametrize("name", ["dev", "bill", "uma", "olga"])
def test_nobody_else_who_is_signed_in_does(door: Door, committed_people: Cast, name: str) -> None:
    answer = door.signed_in(getattr(committed_people, name)).get(ME)

    assert answer.status_code == 403
    assert answer.json()["error"] == {
        "type": "permission_error",
        "message": "Only admins of an organization may call the Admin API.",
    }


def test_a_session_is_about_the_organization_chosen_in_the_dashboard(
    door: Door, committed_people: Cast
) -> None:
    umbrella = committed_people.umbrella
    Membership.objects.create(organization=umbrella, user=committed_people.ada, role=Membership.Role.ADMIN)
    ada = door.signed_in(committed_people.ada)
    choice = {"organization": str(umbrella.id), "csrfmiddlewaretoken": csrf(ada, "/")}

    assert ada.post("/organization", data=choice).status_code == 302

    assert ada.get(ME).json()["name"] == "Umbrella"


def test_a_session_without_its_csrf_token_changes_nothing(door: Door, committed_people: Cast) -> None:
    ada = door.signed_in(committed_people.ada)

    without = ada.post(ME, json={})
    elsewhere = ada.post(
        ME, json={}, headers={"X-CSRFToken": csrf(ada, "/"), "Origin": "https://evil.example"}
    )
    proper = ada.post(ME, json={}, headers={"X-CSRFToken": csrf(ada, "/")})

    assert [_error(answer) for answer in (without, elsewhere, proper)] == [
        (403, "permission_error"),
        (403, "permission_error"),
        (405, "invalid_request_error"),
    ]


def test_a_wrong_key_is_not_made_up_for_by_a_session(door: Door, committed_people: Cast) -> None:
    ada = door.signed_in(committed_people.ada)

    assert ada.get(ME, headers={"x-api-key": "hunter2"}).status_code == 401
    assert ada.get(ME, headers={"x-api-key": ""}).status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/v1/organizations",
        "/v1/organizations/",
        "/v1/organizations/me/",
        "/v1/organizations/nothing",
        "/v1/organizations//me",
        "/v1/v1/organizations/nothing",
        "/v1/organizations/me%00",
        "/v1/organizations/%E2%80%AE",
    ],
)
def test_a_path_that_does_not_exist_is_told_in_the_envelope(door: Door, path: str) -> None:
    for method in ("GET", "POST"):
        assert refused(door.ask(method, path), 404, "not_found_error") == "Not Found"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE"])
def test_a_method_that_does_not_exist_is_told_in_the_envelope(
    door: Door, committed_people: Cast, method: str
) -> None:
    answer = door.ask(method, key=admin_key(committed_people.acme)[1])

    assert refused(answer, 405, "invalid_request_error") == "Method Not Allowed; this path knows GET"
    assert answer.header("allow") == "GET, HEAD"


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21"])
def test_both_versions_are_spoken(door: Door, committed_people: Cast, version: str) -> None:
    _, secret = admin_key(committed_people.acme)

    assert door.ask(key=secret, headers=[("anthropic-version", version)]).status == 200


@pytest.mark.parametrize("accept", ["text/html", "application/binary", "*/*;q=0", "nonsense"])
def test_accept_decides_nothing(door: Door, committed_people: Cast, accept: str) -> None:
    answer = door.ask(key=admin_key(committed_people.acme)[1], headers=[("accept", accept)])

    assert (answer.status, answer.header("content-type")) == (200, "application/json")


def test_pages_are_still_pages(door: Door) -> None:
    answer = door.ask(path="/nothing-here")

    assert answer.status == 404
    assert (answer.header("content-type") or "").startswith("text/html")


def _error(answer: httpx.Response) -> tuple[int, str]:
    assert answer.json()["request_id"] == answer.headers["request-id"]
    return answer.status_code, answer.json()["error"]["type"]
