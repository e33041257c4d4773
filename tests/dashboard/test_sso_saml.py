"""Signing in through an organization's SAML provider, whose answers are signed with xmlsec."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import redis
from django.test import Client
from lxml import etree

from admin_api.actions import sso_connections
from admin_api.actor import SYSTEM
from gateway.models import AuditEntry, SsoConnection, User
from tests.dashboard.single_sign_on import answer_to, leave, post_answer, saml_connection, through_saml
from tests.dashboard.test_sso_openid import refusals, signed_in_as
from tests.people import Cast
from tests.saml_provider import EMAIL_FORMAT, SSO_URL, request_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """Attempts and assertions are remembered in Valkey."""


@pytest.fixture
def connection(people: Cast) -> SsoConnection:
    return saml_connection(people.acme)


def test_somebody_new_becomes_a_member(client: Client, people: Cast, connection: SsoConnection) -> None:
    answer = answer_to(connection, leave(client, next="/usage"))
    assert post_answer(client, connection, answer.encoded())["location"] == "/usage"
    user = User.objects.get(email="new@acme.example")
    assert (user.name, user.memberships.get().role) == ("New", "developer")
    assert client.get("/usage").status_code == 200
    assert AuditEntry.objects.filter(action="sso.signed_in", actor_id=user.id).count() == 1


def test_the_request_names_us_and_where_to_answer(client: Client, connection: SsoConnection) -> None:
    address = leave(client)
    assert address.startswith(SSO_URL + "?SAMLRequest=")
    request = request_in(address)
    assert request.get("Destination") == SSO_URL
    assert request.get("AssertionConsumerServiceURL").endswith(f"/login/sso/{connection.id}/acs")
    metadata = etree.fromstring(client.get(f"/login/sso/{connection.id}/metadata").content)
    service = metadata.find(".//{*}AssertionConsumerService")
    assert service is not None and service.get("Location") == request.get("AssertionConsumerServiceURL")
    assert metadata.get("entityID") == request.findtext("{*}Issuer")


def test_the_address_may_be_the_name_of_the_person(client: Client, connection: SsoConnection) -> None:
    named = {"name_id": "new@acme.example", "name_id_format": EMAIL_FORMAT}
    address = leave(client)
    answer = answer_to(connection, address, email="", **named)
    assert post_answer(client, connection, answer.encoded()).status_code == 302
    assert signed_in_as(client) == "new@acme.example"


WRONG: dict[str, tuple[dict[str, Any], str]] = {
    "signed by somebody else": ({"signer": "somebody"}, "Signature validation failed"),
    "not signed": ({"sign": "nothing"}, "not signed"),
    "signed around, but not the assertion": ({"sign": "response"}, "not signed"),
    "signed with SHA-1": ({"method": "sha1"}, "Deprecated"),
    "for another audience": ({"audience": "https://other.example"}, "audience"),
    "for no audience": ({"audience": None}, "audience"),
    "sent to another address": ({"destination": "https://other.example/acs"}, "instead of"),
    "to be received elsewhere": ({"recipient": "https://other.example/acs"}, "SubjectConfirmation"),
    "to be received anywhere": ({"recipient": None}, "another address"),
    "from another provider": ({"issuer": "https://other.example"}, "issuer"),
    "expired": ({"seconds": -600}, "expired"),
    "of an assertion for another request": ({"confirmed_request": "_other"}, "SubjectConfirmation"),
    "of an assertion for no request": ({"confirmed_request": None}, "another sign-in"),
    "that nobody asked for": ({"request_id": None, "confirmed_request": None}, "nobody asked"),
    "with a passing name": (
        {"name_id_format": "urn:oasis:names:tc:SAML:2.0:nameid-format:transient"},
        "anew each time",
    ),
    "of a name that is too long": ({"name_id": "x" * 300}, "too long"),
}


@pytest.mark.parametrize("name", WRONG)
def test_an_answer_that_is_wrong_in_one_way_is_not_believed(
    client: Client, connection: SsoConnection, name: str
) -> None:
    wrong, reason = WRONG[name]
    answer = through_saml(client, connection, **wrong)
    assert answer.status_code == 403 and "was not accepted" in answer.content.decode()
    assert signed_in_as(client) is None
    assert not User.objects.filter(email="new@acme.example").exists()
    (told,) = refusals()
    assert reason in told


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"email": "new@evil.example"}, "does not belong"),
        ({"email_verified": "false"}, "was verified"),
        ({"email": "mallory@example.com", "name_id": "mallory"}, "is no member"),
    ],
)
def test_an_identity_that_is_not_good_enough_is_refused(
    client: Client, connection: SsoConnection, wrong: dict[str, str], words: str
) -> None:
    answer = answer_to(connection, leave(client), **wrong)
    page = post_answer(client, connection, answer.encoded())
    assert page.status_code == 403 and words in page.content.decode()
    assert signed_in_as(client) is None


def test_an_answer_is_taken_once_and_only_by_the_browser_that_asked(
    client: Client, connection: SsoConnection
) -> None:
    encoded = answer_to(connection, leave(client)).encoded()
    stranger = Client()
    assert post_answer(stranger, connection, encoded).status_code == 403
    assert post_answer(client, connection, encoded).status_code == 302
    client.post("/logout")
    assert post_answer(client, connection, encoded).status_code == 403
    assert signed_in_as(client) is None and signed_in_as(stranger) is None


def test_an_assertion_does_not_answer_a_second_request_in_a_new_envelope(
    client: Client, connection: SsoConnection
) -> None:
    """What is around a signed assertion is not signed: it may say anything."""
    first = answer_to(connection, leave(client)).encoded()
    second = request_in(leave(client)).get("ID")
    tree = etree.fromstring(base64.b64decode(first))
    tree.set("InResponseTo", second or "")
    forged = base64.b64encode(etree.tostring(tree)).decode()
    assert post_answer(client, connection, forged).status_code == 403
    assert post_answer(client, connection, first).status_code == 302


def test_a_second_assertion_around_the_signed_one_is_refused(
    client: Client, connection: SsoConnection
) -> None:
    tree = etree.fromstring(base64.b64decode(answer_to(connection, leave(client)).encoded()))
    signed = tree.find("{*}Assertion")
    assert signed is not None
    forged = etree.fromstring(etree.tostring(signed))
    forged.set("ID", "_forged")
    forged.remove(forged.find("{*}Signature"))
    for value in forged.iter("{*}NameID"):
        value.text = "sub-ada"
    tree.insert(2, forged)
    answer = post_answer(client, connection, base64.b64encode(etree.tostring(tree)).decode())
    assert answer.status_code == 403 and signed_in_as(client) is None


@pytest.mark.parametrize(
    "text", ["", "%%%", base64.b64encode(b"<a").decode(), base64.b64encode(b"<a/>").decode()]
)
def test_what_is_no_answer_at_all_is_refused(client: Client, connection: SsoConnection, text: str) -> None:
    leave(client)
    assert post_answer(client, connection, text).status_code == 403
    assert signed_in_as(client) is None


def test_an_entity_in_an_answer_is_not_resolved(client: Client, connection: SsoConnection) -> None:
    text = b'<!DOCTYPE r [<!ENTITY e SYSTEM "file:///etc/passwd">]><r>&e;</r>'
    page = post_answer(client, connection, base64.b64encode(text).decode())
    assert page.status_code == 403 and b"root:" not in page.content


def test_an_answer_for_one_organization_is_none_for_another(
    client: Client, people: Cast, connection: SsoConnection
) -> None:
    sso_connections.allow_domain(actor=SYSTEM, organization=people.umbrella, domain="umbrella.example")
    other = sso_connections.create(
        actor=SYSTEM,
        organization=people.umbrella,
        provider=sso_connections.Saml(connection.entity_id, connection.sso_url, connection.certificate),
        domains=["umbrella.example"],
        role="user",
    )
    SsoConnection.objects.filter(pk=other.pk).update(state="on")
    encoded = answer_to(connection, leave(client)).encoded()
    assert post_answer(client, other, encoded).status_code == 403
    assert signed_in_as(client) is None


def test_an_answer_that_is_too_long_is_not_kept(connection: SsoConnection) -> None:
    answer = Client().post(f"/login/sso/{connection.id}/acs", {"SAMLResponse": "x" * 400_000})
    assert answer.status_code in (400, 413)


def test_a_fresh_proof_is_one_that_the_provider_asked_for_just_now(
    client: Client, people: Cast, connection: SsoConnection
) -> None:
    through_saml(client, connection)
    address = leave(client, again="1")
    assert request_in(address).get("ForceAuthn") == "true"
    old = answer_to(connection, address, asked_seconds_ago=3600)
    assert post_answer(client, connection, old.encoded()).status_code == 403
    new = answer_to(connection, leave(client, again="1"))
    assert post_answer(client, connection, new.encoded()).status_code == 302
