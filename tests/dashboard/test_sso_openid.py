"""Signing in through an organization's OpenID openid_provider, a real one on a port of its own."""

from __future__ import annotations

from typing import Any

import pytest
import redis
from allauth.socialaccount.models import SocialAccount, SocialApp, SocialToken
from django.test import Client

from admin_api.actions import invites, sso_connections
from admin_api.actor import SYSTEM
from gateway.models import AuditEntry, Membership, Organization, SsoConnection, User
from tests import oidc_provider
from tests.dashboard.single_sign_on import at_provider, leave, openid_connection, through_openid
from tests.dashboard.test_pages import as_
from tests.dashboard.test_second_factors import code_of, with_app
from tests.oidc_provider import OTHER_KEY, Provider, claims
from tests.people import PASSWORD, Cast, person

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """Attempts are counted in Valkey."""


@pytest.fixture
def connection(people: Cast, openid_provider: Provider) -> SsoConnection:
    return openid_connection(people.acme, openid_provider)


def signed_in_as(client: Client) -> str | None:
    user_id = client.session.get("_auth_user_id")
    return User.objects.get(pk=user_id).email if user_id else None


def refusals() -> list[str]:
    lines = AuditEntry.objects.filter(action="sso.refused").order_by("id")
    return [line.details["reason"] for line in lines]


def test_somebody_new_becomes_a_member_with_the_role_for_new_members(
    client: Client, people: Cast, connection: SsoConnection
) -> None:
    assert through_openid(client, next="/usage")["location"] == "/usage"
    user = User.objects.get(email="new@acme.example")
    assert (user.name, user.has_usable_password(), user.is_operator) == ("New", False, False)
    assert [(m.organization, m.role) for m in user.memberships.all()] == [(people.acme, "developer")]
    assert client.get("/usage").status_code == 200
    lines = AuditEntry.objects.filter(organization_id=people.acme.id, actor_id=user.id)
    assert set(lines.values_list("action", flat=True)) == {
        "user.created",
        "membership.added",
        "sso.signed_in",
    }
    assert SocialAccount.objects.get().extra_data == {}
    assert "device" not in client.cookies
    as_(client, people.ada)
    listed = client.get("/members").content.decode()
    assert listed.count(">SSO<") == 1
    assert "Came through your provider" in client.get(f"/members/{user.id}").content.decode()
    assert not SocialToken.objects.exists() and not SocialApp.objects.exists()


def test_the_question_has_state_nonce_and_a_challenge_that_the_provider_can_check(
    client: Client, connection: SsoConnection, openid_provider: Provider
) -> None:
    through_openid(client)
    (asked,) = openid_provider.asked
    assert asked["code_challenge_method"] == "S256"
    assert len(asked["nonce"]) >= 32 and len(asked["state"]) >= 16
    assert set(asked["scope"].split()) == {"openid", "profile", "email"}
    assert asked["login_hint"] == "new@acme.example"
    assert asked["redirect_uri"].endswith(f"/login/sso/{connection.id}/callback")


def test_a_member_is_the_same_member_and_may_change_their_address_there(
    client: Client, people: Cast, connection: SsoConnection, openid_provider: Provider
) -> None:
    openid_provider.claims = claims("dev", email="dev@example.com")
    assert through_openid(client, "dev@example.com").status_code == 302
    assert signed_in_as(client) == "dev@example.com"
    openid_provider.claims = claims("dev", email="devon@acme.example")
    again = Client()
    assert through_openid(again, "devon@acme.example").status_code == 302
    assert signed_in_as(again) == "dev@example.com"
    assert not User.objects.filter(email="devon@acme.example").exists()


def test_an_address_that_became_somebody_elses_does_not_open_the_account(
    client: Client, people: Cast, connection: SsoConnection, openid_provider: Provider
) -> None:
    openid_provider.claims = claims("dev", email="dev@example.com")
    through_openid(Client(), "dev@example.com")
    openid_provider.claims = claims("heir", email="dev@example.com")
    answer = through_openid(client, "dev@example.com")
    assert answer.status_code == 403 and "as somebody else before" in answer.content.decode()
    assert signed_in_as(client) is None


def test_somebody_invited_takes_the_invitation_up(
    client: Client, people: Cast, connection: SsoConnection, openid_provider: Provider
) -> None:
    invites.create(actor=SYSTEM, organization=people.acme, email="mallory@example.com", role="billing")
    openid_provider.claims = claims("mallory", email="mallory@example.com")
    assert through_openid(client, "mallory@example.com").status_code == 302
    assert people.acme.memberships.get(user=people.mallory).role == "billing"
    assert not invites.pending(organization=people.acme, email="mallory@example.com").exists()


def test_a_provider_makes_no_admins(client: Client, people: Cast, connection: SsoConnection) -> None:
    invites.create(actor=SYSTEM, organization=people.acme, email="new@acme.example", role="admin")
    answer = through_openid(client)
    assert answer.status_code == 403 and "with the link in it first" in answer.content.decode()
    assert not User.objects.filter(email="new@acme.example").exists()


def test_who_is_a_member_of_another_organization_only_is_not_taken_over(
    client: Client, people: Cast, connection: SsoConnection, openid_provider: Provider
) -> None:
    openid_provider.claims = claims("mallory", email="mallory@example.com")
    answer = through_openid(client, "mallory@example.com")
    assert answer.status_code == 403 and "is no member" in answer.content.decode()
    assert signed_in_as(client) is None
    assert not SocialAccount.objects.exists()
    assert people.mallory.memberships.get().organization == people.umbrella


@pytest.mark.parametrize(("who", "words"), [("dev", "deactivated"), ("olga", "with their password")])
def test_deactivated_people_and_operators_stay_out(
    client: Client, people: Cast, connection: SsoConnection, openid_provider: Provider, who: str, words: str
) -> None:
    User.objects.filter(pk=people.dev.pk).update(is_active=False)
    openid_provider.claims = claims(who, email=f"{who}@example.com")
    answer = through_openid(client, f"{who}@example.com")
    assert answer.status_code == 403 and words in answer.content.decode()
    assert signed_in_as(client) is None


WRONG_CLAIMS = {
    "another domain": ({"email": "new@evil.example"}, "does not belong"),
    "a domain that ends alike": ({"email": "new@evil-acme.example"}, "does not belong"),
    "an unverified address": ({"email_verified": False}, "was verified"),
    "an address of which nothing is said": ({"email_verified": None}, "was verified"),
    "no address": ({"email": None}, "told no e-mail address"),
}


@pytest.mark.parametrize("name", WRONG_CLAIMS)
def test_an_identity_that_is_not_good_enough_is_refused(
    client: Client, connection: SsoConnection, openid_provider: Provider, name: str
) -> None:
    wrong, words = WRONG_CLAIMS[name]
    openid_provider.token, openid_provider.user_info = wrong, {"sub": "sub-new"}
    answer = through_openid(client)
    assert answer.status_code == 403 and words in answer.content.decode()
    assert (
        signed_in_as(client) is None and not Membership.objects.filter(user__email__contains="new").exists()
    )
    assert len(refusals()) == 1


WRONG_TOKENS: dict[str, tuple[dict[str, Any], str]] = {
    "signed with another key": ({"key": OTHER_KEY}, "Signature verification failed"),
    "signed with the client secret": ({"key": "a secret" * 8, "algorithm": "HS256"}, "alg"),
    "not signed": ({"key": None, "algorithm": "none"}, "alg"),
    "for another client": ({"token": {"aud": "somebody"}}, "Audience"),
    "for several, and authorized for another": (
        {"token": {"aud": ["gateway", "other"], "azp": "other"}},
        "somebody else",
    ),
    "from another issuer": ({"token": {"iss": "https://evil.example"}}, "issuer"),
    "expired": ({"token": {"exp": 1}}, "expired"),
    "with another nonce": ({"token": {"nonce": "another"}}, "another sign-in"),
    "without a nonce": ({"token": {"nonce": None}}, "another sign-in"),
    "of nobody": ({"token": {"sub": None}}, "sub"),
}


@pytest.mark.parametrize("name", WRONG_TOKENS)
def test_a_token_that_is_wrong_in_one_way_is_not_believed(
    client: Client, connection: SsoConnection, openid_provider: Provider, name: str
) -> None:
    wrong, reason = WRONG_TOKENS[name]
    for field, value in wrong.items():
        setattr(openid_provider, field, value)
    answer = through_openid(client)
    assert answer.status_code == 403 and "was not accepted" in answer.content.decode()
    assert signed_in_as(client) is None
    assert not User.objects.filter(email="new@acme.example").exists()
    (told,) = refusals()
    assert reason in told


def test_a_provider_that_calls_itself_by_another_name_is_not_asked(
    client: Client, connection: SsoConnection, openid_provider: Provider
) -> None:
    openid_provider.config = {"issuer": "https://evil.example"}
    answer = client.post("/login/sso", {"email": "new@acme.example"})
    assert answer.status_code == 502 and "cannot be reached" in answer.content.decode()
    assert openid_provider.asked == []


def test_an_answer_is_taken_once_and_only_by_the_browser_that_asked(
    client: Client, connection: SsoConnection
) -> None:
    back = at_provider(leave(client))
    stranger = Client()
    assert stranger.get(back).status_code == 403 and signed_in_as(stranger) is None
    assert client.get(back).status_code == 302
    client.post("/logout")
    assert client.get(back).status_code == 403 and signed_in_as(client) is None


def test_an_answer_for_one_organization_is_none_for_another(
    client: Client, people: Cast, connection: SsoConnection, openid_provider: Provider
) -> None:
    sso_connections.allow_domain(actor=SYSTEM, organization=people.umbrella, domain="umbrella.example")
    with oidc_provider.running() as theirs:
        other = sso_connections.create(
            actor=SYSTEM,
            organization=people.umbrella,
            provider=sso_connections.Oidc(theirs.url, "gateway", theirs.secret),
            domains=["umbrella.example"],
            role="user",
        )
        SsoConnection.objects.filter(pk=other.pk).update(state="on")
        back = at_provider(leave(client))
        assert client.get(back.replace(connection.id, other.id)).status_code == 403
        theirs.claims = claims("new")
        answer = through_openid(client, "x@umbrella.example")
        assert answer.status_code == 403 and "does not belong" in answer.content.decode()
    assert signed_in_as(client) is None


def test_who_gives_up_at_the_provider_is_told_so(client: Client, connection: SsoConnection) -> None:
    back = at_provider(leave(client)).replace("code=", "error=access_denied&x=")
    answer = client.get(back)
    assert answer.status_code == 403 and "was not accepted" in answer.content.decode()


def test_userinfo_is_read_where_the_token_tells_no_address_and_only_of_the_same_person(
    client: Client, connection: SsoConnection, openid_provider: Provider
) -> None:
    openid_provider.token = {"email": None, "email_verified": None}
    openid_provider.user_info = claims("other", email="ada@example.com")
    assert through_openid(Client()).status_code == 403
    openid_provider.user_info = claims("new")
    assert through_openid(client).status_code == 302
    assert signed_in_as(client) == "new@acme.example"


@pytest.mark.parametrize("state", ["draft", "tested"])
def test_nobody_comes_through_a_connection_that_is_not_on(
    client: Client, connection: SsoConnection, state: str
) -> None:
    address = leave(client)
    SsoConnection.objects.filter(pk=connection.pk).update(state=state)
    assert client.post("/login/sso", {"email": "new@acme.example"}).status_code == 400
    assert client.get(at_provider(address)).status_code == 403
    assert signed_in_as(client) is None


def test_a_connection_that_was_changed_meanwhile_is_not_believed(
    client: Client, connection: SsoConnection
) -> None:
    address = leave(client)
    SsoConnection.objects.filter(pk=connection.pk).update(version=2)
    assert client.get(at_provider(address)).status_code == 403
    assert signed_in_as(client) is None


def test_a_domain_of_nobody_leads_nowhere(client: Client, connection: SsoConnection) -> None:
    answer = client.post("/login/sso", {"email": "x@nowhere.example"})
    assert answer.status_code == 400
    assert "No organization signs in with addresses of this domain here." in answer.content.decode()
    assert "Sign in with SSO" in client.get("/login").content.decode()


def test_a_session_of_a_provider_opens_its_organization_and_nothing_else(
    client: Client, people: Cast, connection: SsoConnection, openid_provider: Provider
) -> None:
    both = person("Bo", people.acme, "developer")
    Membership.objects.create(organization=people.umbrella, user=both, role="admin")
    openid_provider.claims = claims("bo", email="bo@example.com")
    through_openid(client, "bo@example.com")
    assert "Umbrella" not in client.get("/").content.decode()
    client.post("/organization", {"organization": str(people.umbrella.id), "next": "/"})
    assert "Umbrella" not in client.get("/").content.decode()
    assert client.get("/v1/organizations/me").status_code in (401, 403)
    for path in ("/settings/password", "/settings/authenticator", "/settings/passkeys"):
        assert client.get(path).status_code == 403, path
    answer = client.post("/settings/password", {"password": PASSWORD, "new": "a wholly different passphrase"})
    assert answer.status_code == 403
    Membership.objects.filter(user=both, organization=people.acme).delete()
    assert client.get("/")["location"].startswith("/login")


def test_the_password_gives_a_session_of_a_provider_all_that_is_the_persons_own(
    client: Client, people: Cast, connection: SsoConnection, openid_provider: Provider
) -> None:
    both = person("Bo", people.acme, "developer")
    Membership.objects.create(organization=people.umbrella, user=both, role="admin")
    openid_provider.claims = claims("bo", email="bo@example.com")
    through_openid(client, "bo@example.com")
    client.post("/reauthenticate", {"password": PASSWORD, "next": "/"})
    assert "Umbrella" in client.get("/").content.decode()


def test_who_becomes_an_operator_signs_in_with_a_password_from_then_on(
    client: Client, people: Cast, connection: SsoConnection
) -> None:
    through_openid(client)
    User.objects.filter(email="new@acme.example").update(is_operator=True)
    assert client.get("/organizations").status_code == 404
    assert client.get("/audit-log?all=1").status_code == 302
    assert signed_in_as(client) is None


def test_what_is_turned_off_opens_nothing_any_more(client: Client, connection: SsoConnection) -> None:
    through_openid(client)
    assert client.get("/").status_code == 200
    asleep = Client()
    through_openid(asleep)
    sso_connections.turn_off(actor=SYSTEM, connection=connection)
    assert client.get("/")["location"].startswith("/login")
    assert signed_in_as(client) is None
    sso_connections.turn_on(actor=SYSTEM, connection=connection)
    assert asleep.get("/")["location"].startswith("/login")


def test_a_second_factor_of_the_account_is_asked_for_as_after_a_password(
    client: Client, people: Cast, connection: SsoConnection, openid_provider: Provider
) -> None:
    secret, _ = with_app(people.dev)
    openid_provider.claims = claims("dev", email="dev@example.com")
    assert through_openid(client, "dev@example.com", next="/usage")["location"] == "/login/second-factor"
    assert signed_in_as(client) is None
    client.post("/login/second-factor", {"code": code_of(secret)})
    assert signed_in_as(client) == "dev@example.com"


def test_a_second_factor_that_is_required_is_the_providers_business(
    client: Client, people: Cast, connection: SsoConnection
) -> None:
    Organization.objects.filter(pk=people.acme.pk).update(require_second_factor=True)
    through_openid(client)
    assert client.get("/").status_code == 200
    browser = Client()
    browser.post("/login", {"login": people.dev.email, "password": PASSWORD})
    assert browser.get("/")["location"] == "/settings/second-factor"


def test_a_required_provider_shuts_out_passwords_but_those_for_emergencies(
    client: Client, people: Cast, connection: SsoConnection, openid_provider: Provider
) -> None:
    second = person("Ann", people.acme, "admin")
    sso_connections.require(actor=SYSTEM, connection=connection, break_glass=[people.ada.id])
    for who, opened in ((people.ada, True), (second, False), (people.dev, False), (people.mallory, True)):
        browser = Client()
        browser.post("/login", {"login": who.email, "password": PASSWORD})
        assert (browser.get("/").status_code == 200) == opened, who.email
        if not opened:
            assert browser.get("/")["location"] == "/login/sso/needed"
            assert browser.get("/v1/organizations/me").status_code == 403
            assert "Sign in with SSO" in browser.get("/login/sso/needed").content.decode()
    openid_provider.claims = claims("dev", email="dev@example.com")
    through_openid(client, "dev@example.com")
    assert client.get("/").status_code == 200


def test_a_session_with_a_password_goes_on_after_the_provider_and_stays_the_same_persons(
    people: Cast, connection: SsoConnection, openid_provider: Provider
) -> None:
    sso_connections.require(actor=SYSTEM, connection=connection, break_glass=[people.ada.id])
    browser = Client()
    browser.post("/login", {"login": people.dev.email, "password": PASSWORD})
    openid_provider.claims = claims("dev", email="dev@example.com")
    through_openid(browser, "dev@example.com")
    assert browser.get("/").status_code == 200
    openid_provider.claims = claims("uma", email="uma@example.com")
    through_openid(browser, "uma@example.com")
    assert signed_in_as(browser) == "uma@example.com"


def test_what_does_harm_can_be_confirmed_at_the_provider(
    client: Client, people: Cast, connection: SsoConnection, openid_provider: Provider
) -> None:
    openid_provider.claims = claims("ada", email="ada@example.com")
    through_openid(client, "ada@example.com")
    session = client.session
    (record,) = session["account_authentication_methods"]
    session["account_authentication_methods"] = [{**record, "at": 1}]
    session.save()
    assert client.get("/settings/webhooks/new")["location"].startswith("/reauthenticate")
    assert "Use single sign-on" in client.get("/reauthenticate").content.decode()
    again = {"again": "1", "next": "/settings/webhooks/new"}
    openid_provider.token = {"auth_time": 1}
    assert through_openid(client, "ada@example.com", **again).status_code == 403
    openid_provider.token, openid_provider.claims = {}, claims("dev", email="dev@example.com")
    assert through_openid(client, "ada@example.com", **again).status_code == 403
    assert signed_in_as(client) == "ada@example.com"
    openid_provider.claims = claims("ada", email="ada@example.com")
    assert through_openid(client, "ada@example.com", **again)["location"] == "/settings/webhooks/new"
    assert openid_provider.asked[-1]["prompt"] == "login" and openid_provider.asked[-1]["max_age"] == "0"
    assert client.get("/settings/webhooks/new").status_code == 200
