"""Setting single sign-on up: who may, whose domains, the test before it is on, and who gets in without it."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from allauth.socialaccount.models import SocialAccount
from django.test import Client
from django.utils import timezone

from admin_api.actions import memberships, sso_connections
from admin_api.actor import SYSTEM
from gateway.errors import InvalidRequest
from gateway.models import AuditEntry, Organization, SsoConnection, SsoDomain, User
from tests import saml_provider
from tests.dashboard.single_sign_on import (
    answer_to,
    at_provider,
    leave,
    openid_connection,
    post_answer,
    saml_connection,
    through_openid,
)
from tests.dashboard.test_pages import as_, freshly
from tests.oidc_provider import OTHER_KEY, Provider, claims
from tests.people import Cast, person

pytestmark = pytest.mark.django_db
OIDC = {
    "issuer": "https://1.1.1.1/tenant",
    "client_id": "gateway",
    "client_secret": "a secret of theirs",
    "domains": "acme.example",
    "role": "developer",
}


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """Attempts are counted in Valkey."""


def allow(organization: Organization, *domains: str) -> None:
    for domain in domains:
        sso_connections.allow_domain(actor=SYSTEM, organization=organization, domain=domain)


def held(people: Cast) -> SsoConnection:
    return SsoConnection.objects.get(organization=people.acme)


def test_an_admin_enters_a_provider_whose_secret_is_sealed_and_reads_what_to_enter_there(
    client: Client, people: Cast
) -> None:
    allow(people.acme, "acme.example")
    freshly(client, people.ada)
    assert "Add a SAML provider" in client.get("/settings/sso").content.decode()
    assert client.post("/settings/sso/new/oidc", OIDC)["location"] == "/settings/sso"
    made = held(people)
    assert (made.state, made.role, made.kind) == ("draft", "developer", "oidc")
    assert b"a secret of theirs" not in bytes(made.encrypted_client_secret)
    page = client.get("/settings/sso").content.decode()
    assert f"/login/sso/{made.id}/callback" in page and "Draft" in page
    assert "a secret of theirs" not in page + client.get("/settings/sso/edit").content.decode()
    line = AuditEntry.objects.get(action="sso.created")
    assert line.actor_id == people.ada.id and "a secret of theirs" not in str(line.details)


def test_an_admin_enters_a_saml_provider(client: Client, people: Cast) -> None:
    allow(people.acme, "acme.example")
    freshly(client, people.ada)
    given = {
        "entity_id": "https://idp.example",
        "sso_url": "https://1.1.1.1/saml",
        "certificate": saml_provider.key_pair("idp")[1],
        "domains": "acme.example",
        "role": "user",
    }
    for wrong in ({"certificate": "nonsense"}, {"sso_url": "http://1.1.1.1/"}, {"role": "admin"}):
        assert client.post("/settings/sso/new/saml", {**given, **wrong}).status_code == 400
    assert client.post("/settings/sso/new/saml", given).status_code == 302
    page = client.get("/settings/sso").content.decode()
    for address in ("acs", "metadata"):
        assert f"/login/sso/{held(people).id}/{address}" in page


def test_only_admins_with_a_fresh_sign_in_set_it_up(client: Client, people: Cast) -> None:
    allow(people.acme, "acme.example")
    as_(client, people.ada)
    assert client.post("/settings/sso/new/oidc", OIDC)["location"].startswith("/reauthenticate")
    for who in (people.dev, people.bill, people.uma):
        freshly(client, who)
        assert client.get("/settings/sso").status_code == 403
        assert client.post("/settings/sso/new/oidc", OIDC).status_code == 403
        assert "/settings/sso" not in client.get("/settings").content.decode()
    assert not SsoConnection.objects.exists()


@pytest.mark.parametrize(
    ("domains", "words"),
    [
        ("evil.example", "No admin of this organization has a confirmed address"),
        ("gmail.com", "Anybody can have an address"),
        ("acme.example\nlocalhost", "is not a domain"),
        ("umbrella.example", "is used by another organization"),
    ],
)
def test_a_domain_has_to_be_the_organizations_own(
    client: Client, people: Cast, domains: str, words: str
) -> None:
    allow(people.acme, "acme.example", "umbrella.example")
    allow(people.umbrella, "umbrella.example")
    sso_connections.create(
        actor=SYSTEM,
        organization=people.umbrella,
        provider=sso_connections.Oidc("https://1.1.1.1", "x", "y"),
        domains=["umbrella.example"],
        role="user",
    )
    freshly(client, people.ada)
    answer = client.post("/settings/sso/new/oidc", {**OIDC, "domains": domains})
    assert answer.status_code == 400 and words in answer.content.decode()
    assert not SsoConnection.objects.filter(organization=people.acme).exists()


def test_a_confirmed_address_of_an_admin_shows_whose_a_domain_is(client: Client, people: Cast) -> None:
    freshly(client, people.ada)
    given = {**OIDC, "domains": "Example.com"}
    assert client.post("/settings/sso/new/oidc", given).status_code == 400
    User.objects.filter(pk=people.dev.pk).update(email_verified_at=timezone.now())
    assert client.post("/settings/sso/new/oidc", given).status_code == 400
    User.objects.filter(pk=people.ada.pk).update(email_verified_at=timezone.now())
    assert client.post("/settings/sso/new/oidc", given).status_code == 302
    assert SsoDomain.objects.get().name == "example.com"


@pytest.mark.parametrize(
    "issuer",
    [
        "http://1.1.1.1",
        "https://127.0.0.1",
        "https://10.0.0.1",
        "https://169.254.169.254/latest",
        "https://[::1]",
        "https://2130706433",
        "https://localhost",
        "https://user@1.1.1.1",
        "ftp://1.1.1.1",
        "https://1.1.1.1/.well-known/openid-configuration",
    ],
)
def test_a_provider_is_on_the_internet_and_spoken_to_over_https(
    client: Client, people: Cast, settings: Any, issuer: str
) -> None:
    settings.CONFIGURATION = settings.CONFIGURATION.model_copy(update={"sso_private_hosts": []})
    allow(people.acme, "acme.example")
    freshly(client, people.ada)
    assert client.post("/settings/sso/new/oidc", {**OIDC, "issuer": issuer}).status_code == 400


def test_it_is_tested_then_on_then_required_and_each_step_is_written_down(
    client: Client, people: Cast, openid_provider: Provider
) -> None:
    openid_connection(people.acme, openid_provider, state="draft")
    freshly(client, people.ada)
    client.post("/settings/sso/turn", {"to": "on"})
    client.post("/settings/sso/require", {"break_glass": people.ada.id})
    assert (held(people).state, Organization.objects.get(pk=people.acme.pk).require_sso) == ("draft", False)
    openid_provider.claims = {**claims("new"), "name": "<b>New</b>"}
    page = client.get(at_provider(leave(client, to="/settings/sso/test")))
    words = page.content.decode()
    assert page.status_code == 200 and "It works." in words
    for told in ("sub-new", "new@acme.example", "&lt;b&gt;New&lt;/b&gt;", "would become a member"):
        assert told in words
    assert held(people).state == "tested"
    assert not User.objects.filter(email="new@acme.example").exists() and not SocialAccount.objects.exists()
    assert client.session["_auth_user_id"] == people.ada.id
    client.post("/settings/sso/turn", {"to": "on"})
    assert held(people).state == "on"
    assert client.post("/settings/sso/require", {}).status_code == 400
    assert client.post("/settings/sso/require", {"break_glass": people.dev.id}).status_code == 400
    assert client.post("/settings/sso/require", {"break_glass": people.ada.id}).status_code == 302
    assert Organization.objects.get(pk=people.acme.pk).require_sso
    assert "ada@example.com" in client.get("/settings/sso").content.decode()
    client.post("/settings/sso/turn", {"to": "optional"})
    assert "checked" in client.get("/settings/sso").content.decode()
    client.post("/settings/sso/turn", {"to": "off"})
    assert client.post("/settings/sso/remove")["location"] == "/settings/sso"
    lines = AuditEntry.objects.filter(organization_id=people.acme.id, actor_id=people.ada.id)
    assert list(lines.order_by("id").values_list("action", flat=True)) == [
        "sso.tested",
        "sso.turned_on",
        "sso.required",
        "sso.not_required",
        "sso.turned_off",
        "sso.removed",
    ]


def test_a_test_says_what_is_wrong_and_proves_nothing(
    client: Client, people: Cast, openid_provider: Provider
) -> None:
    openid_connection(people.acme, openid_provider, state="draft")
    freshly(client, people.ada)
    openid_provider.claims = claims("new", email_verified=False)
    page = client.get(at_provider(leave(client, to="/settings/sso/test")))
    assert (
        page.status_code == 403 and "does not say that new@acme.example was verified" in page.content.decode()
    )
    openid_provider.key = OTHER_KEY
    page = client.get(at_provider(leave(client, to="/settings/sso/test")))
    assert page.status_code == 403 and "Signature verification failed" in page.content.decode()
    openid_provider.config = {"issuer": "https://other.example"}
    client.post("/settings/sso/test")
    assert "calls itself by another issuer" in client.get("/settings/sso").content.decode()
    assert held(people).state == "draft"


def test_a_saml_provider_is_tested_the_same_way(client: Client, people: Cast) -> None:
    connection = saml_connection(people.acme, state="draft")
    freshly(client, people.ada)
    for wrong, words in (({"signer": "somebody"}, "Signature validation failed"), ({}, "It works.")):
        address = leave(client, to="/settings/sso/test")
        page = post_answer(client, connection, answer_to(connection, address, **wrong).encoded())
        assert words in page.content.decode()
    assert held(people).state == "tested" and not User.objects.filter(email="new@acme.example").exists()


def test_a_test_is_shown_to_an_admin_of_that_organization_only(
    client: Client, people: Cast, openid_provider: Provider
) -> None:
    openid_connection(people.acme, openid_provider, state="draft")
    freshly(client, people.ada)
    back = at_provider(leave(client, to="/settings/sso/test"))
    people.acme.memberships.filter(user=people.ada).update(role="developer")
    page = client.get(back)
    assert page.status_code == 403 and "sub-new" not in page.content.decode()
    assert held(people).state == "draft"


def test_another_provider_has_to_be_tested_anew_and_knows_nobody(
    client: Client, people: Cast, openid_provider: Provider
) -> None:
    connection = openid_connection(people.acme, openid_provider)
    through_openid(Client())
    sso_connections.require(actor=SYSTEM, connection=connection, break_glass=[people.ada.id])
    freshly(client, people.ada)
    same = {**OIDC, "issuer": openid_provider.url, "client_secret": "", "domains": "acme.example"}
    assert client.post("/settings/sso/edit", same).status_code == 302
    assert (held(people).state, SocialAccount.objects.count()) == ("on", 1)
    assert client.post("/settings/sso/edit", {**same, "client_secret": "new"}).status_code == 302
    assert (held(people).state, SocialAccount.objects.count()) == ("draft", 1)
    assert not Organization.objects.get(pk=people.acme.pk).require_sso
    assert client.post("/settings/sso/edit", {**same, "issuer": "https://1.1.1.1"}).status_code == 302
    assert SocialAccount.objects.count() == 0


def test_the_last_admin_for_emergencies_stays_one(people: Cast, openid_provider: Provider) -> None:
    connection = openid_connection(people.acme, openid_provider)
    person("Ann", people.acme, "admin")
    sso_connections.require(actor=SYSTEM, connection=connection, break_glass=[people.ada.id])
    ada = people.acme.memberships.get(user=people.ada)
    for change in (
        lambda: memberships.set_role(actor=SYSTEM, membership=ada, role="user"),
        lambda: memberships.remove(actor=SYSTEM, membership=ada),
    ):
        with pytest.raises(InvalidRequest, match="gets in when the identity provider is away"):
            change()


def test_a_domain_that_an_operator_takes_back_signs_nobody_in(
    client: Client, people: Cast, openid_provider: Provider
) -> None:
    openid_connection(people.acme, openid_provider)
    sso_connections.allow_domain(actor=SYSTEM, organization=people.acme, domain="acme.example", allowed=False)
    assert client.post("/login/sso", {"email": "new@acme.example"}).status_code == 400


def test_nobody_sets_up_the_provider_of_another_organization(
    client: Client, people: Cast, openid_provider: Provider
) -> None:
    openid_connection(people.acme, openid_provider)
    freshly(client, people.mallory)
    assert openid_provider.url not in client.get("/settings/sso").content.decode()
    for path in ("edit", "remove", "test", "require"):
        assert client.post(f"/settings/sso/{path}", {}).status_code == 404
    assert held(people).state == "on"
