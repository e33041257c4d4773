"""Second factors over HTTP: set up, asked for, used once, taken away; and organizations that ask for one."""

from __future__ import annotations

import re
import time

import pytest
import redis
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.http import HttpResponse
from django.test import Client

from admin_api.actions import house_rules, second_factors
from admin_api.actor import SYSTEM
from gateway.models import AuditEntry, User
from tests.dashboard.test_pages import as_, freshly
from tests.people import PASSWORD, Cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_failures_counted(valkey: redis.Redis) -> None:
    """Every test begins with an empty Valkey."""


def code_of(secret: str, *, periods: int = 0) -> str:
    """What the app shows now, or showed so many half minutes ago."""
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + periods))


def with_app(user: User) -> tuple[str, list[str]]:
    """The secret of an app whose code of two periods ago was used, and recovery codes."""
    secret = second_factors.new_secret()
    codes = second_factors.add_app(actor=SYSTEM, user=user, secret=secret, code=code_of(secret, periods=-1))
    return secret, codes


def password(client: Client, email: str = "ada@example.com") -> HttpResponse:
    return client.post("/login", {"login": email, "password": PASSWORD})


def code(client: Client, code: str) -> HttpResponse:
    return client.post("/login/second-factor", {"code": code})


def test_an_app_is_set_up_with_the_code_that_it_shows(client: Client, people: Cast) -> None:
    freshly(client, people.ada)
    page = client.get("/settings/authenticator").content.decode()
    secret = re.search(r'id="secret">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
    token = re.search(r'name="set_up" value="([^"]+)"', page)[1]
    assert 'src="data:image/svg+xml;base64,' in page

    wrong = client.post("/settings/authenticator", {"set_up": token, "code": "000000"})
    assert (wrong.status_code, secret in wrong.content.decode().replace(" ", "")) == (400, True)
    done = client.post("/settings/authenticator", {"set_up": token, "code": code_of(secret)})

    codes = re.findall(r"\b\d{5}-\d{5}\b", done.content.decode())
    assert (len(codes), done["cache-control"]) == (
        10,
        "max-age=0, no-cache, no-store, must-revalidate, private",
    )
    stored = Authenticator.objects.get(user_id=people.ada.id, type="totp").data["secret"]
    assert secret not in stored
    assert AuditEntry.objects.filter(action="second_factor.added", target_id=people.ada.id).count() == 1


def test_a_secret_of_somebody_else_is_not_taken(client: Client, people: Cast) -> None:
    page = freshly(Client(), people.dev).get("/settings/authenticator").content.decode()
    token = re.search(r'name="set_up" value="([^"]+)"', page)[1]
    secret = re.search(r'id="secret">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
    freshly(client, people.ada)
    answer = client.post("/settings/authenticator", {"set_up": token, "code": code_of(secret)})
    assert answer.status_code == 400
    assert not Authenticator.objects.exists()


def test_the_password_alone_opens_nothing(client: Client, people: Cast) -> None:
    secret, _ = with_app(people.ada)
    assert password(client)["location"] == "/login/second-factor"
    assert client.get("/")["location"].startswith("/login?")
    half = client.cookies["session"].value

    assert code(client, code_of(secret))["location"] == "/"

    assert client.get("/").status_code == 200
    assert client.cookies["session"].value != half


def test_where_one_wanted_to_go_is_not_lost(client: Client, people: Cast) -> None:
    secret, _ = with_app(people.ada)
    client.post("/login", {"login": "ada@example.com", "password": PASSWORD, "next": "/quickstart?tab=curl"})
    assert code(client, code_of(secret))["location"] == "/quickstart?tab=curl"


@pytest.mark.parametrize("periods", [-1, 0, 1])
def test_a_code_opens_once_and_none_before_it_opens_again(client: Client, people: Cast, periods: int) -> None:
    secret = second_factors.new_secret()
    long_ago = code_of(secret, periods=-1)
    second_factors.add_app(actor=SYSTEM, user=people.ada, secret=secret, code=long_ago)
    Authenticator.objects.filter(type="totp").update(
        data={**Authenticator.objects.get(type="totp").data, "last_period": 0}
    )
    shown = code_of(secret, periods=periods)
    password(client)
    assert code(client, shown).status_code == 302

    somebody = Client()
    password(somebody)
    replayed = code(somebody, shown)

    assert replayed.status_code == 200
    assert "The code is not right, or was used before." in replayed.content.decode()
    if periods == 1:
        assert code(somebody, code_of(secret)).status_code == 200


def test_a_recovery_code_opens_once(client: Client, people: Cast) -> None:
    _, codes = with_app(people.ada)
    password(client)
    assert code(client, f"{codes[0][:5]}-{codes[0][5:]}").status_code == 302
    again = Client()
    password(again)
    assert code(again, codes[0]).status_code == 200
    used = AuditEntry.objects.get(action="recovery_code.used")
    assert (used.actor_id, used.details) == (people.ada.id, {"left": 9})


def test_ten_wrong_codes_are_the_last_ones(client: Client, people: Cast) -> None:
    secret, _ = with_app(people.ada)
    password(client)
    answers = [code(client, "000000") for _ in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert code(client, code_of(secret)).status_code == 429


def test_one_can_sign_in_as_somebody_else_instead(client: Client, people: Cast) -> None:
    with_app(people.ada)
    password(client)
    client.post("/login/cancel")
    assert client.get("/login").status_code == 200
    assert password(client, "dev@example.com")["location"] == "/"


def test_new_recovery_codes_put_an_end_to_those_before(client: Client, people: Cast) -> None:
    _, before = with_app(people.ada)
    freshly(client, people.ada)
    shown = client.post("/settings/recovery-codes").content.decode()
    codes = re.findall(r"\b\d{5}-\d{5}\b", shown)
    assert len(codes) == 10
    assert codes[0] not in client.get("/settings/security").content.decode()
    other = Client()
    password(other)
    assert code(other, before[0]).status_code == 200
    assert code(other, codes[0]).status_code == 302


def test_with_the_last_factor_go_the_codes(client: Client, people: Cast) -> None:
    with_app(people.ada)
    app = Authenticator.objects.get(type="totp")
    freshly(client, people.ada)
    assert (
        "your password alone opens the account"
        in client.get(f"/settings/second-factors/{app.pk}").content.decode()
    )
    assert client.post(f"/settings/second-factors/{app.pk}")["location"] == "/settings/security"
    assert not Authenticator.objects.exists()
    assert password(Client())["location"] == "/"


def test_a_factor_of_somebody_else_is_not_there(client: Client, people: Cast) -> None:
    with_app(people.dev)
    app = Authenticator.objects.get(type="totp")
    freshly(client, people.ada)
    assert client.post(f"/settings/second-factors/{app.pk}").status_code == 404
    assert Authenticator.objects.filter(user_id=people.dev.id).count() == 2


def require_second_factor(people: Cast) -> None:
    with_app(people.ada)
    house_rules.update(actor=SYSTEM, organization=people.acme, admin=people.ada, require_second_factor=True)


def test_where_an_organization_asks_for_one_its_pages_wait_for_it(client: Client, people: Cast) -> None:
    require_second_factor(people)
    freshly(client, people.dev)
    for path in ("/", "/quickstart", "/batches", "/settings", "/settings/security"):
        assert client.get(path)["location"] == "/settings/second-factor", path
    assert client.get("/limits", headers={"hx-request": "true"})["hx-redirect"] == "/settings/second-factor"
    assert "Acme asks for one" in client.get("/settings/second-factor").content.decode()

    page = client.get("/settings/authenticator").content.decode()
    token = re.search(r'name="set_up" value="([^"]+)"', page)[1]
    secret = re.search(r'id="secret">([A-Z2-7 ]+)<', page)[1].replace(" ", "")
    client.post("/settings/authenticator", {"set_up": token, "code": code_of(secret)})

    assert client.get("/").status_code == 200


def test_who_must_have_one_keeps_the_last_one(client: Client, people: Cast) -> None:
    require_second_factor(people)
    app = Authenticator.objects.get(user_id=people.ada.id, type="totp")
    freshly(client, people.ada)
    refused = client.post(f"/settings/second-factors/{app.pk}")
    assert (refused.status_code, "Acme asks for a second factor" in refused.content.decode()) == (400, True)


def test_a_session_without_one_does_not_open_the_admin_api_and_keys_do(client: Client, people: Cast) -> None:
    house_rules_before = as_(Client(), people.ada).get(
        "/v1/organizations/me", headers={"anthropic-version": "2023-06-01"}
    )
    require_second_factor(people)
    second_factors.reset(actor=SYSTEM, user=people.ada)
    as_(client, people.ada)
    refused = client.get("/v1/organizations/me", headers={"anthropic-version": "2023-06-01"})
    assert (house_rules_before.status_code, refused.status_code) == (200, 403)
    assert "asks for a second factor" in refused.json()["error"]["message"]


def test_proof_that_is_old_is_asked_for_again_by_password_or_code(client: Client, people: Cast) -> None:
    secret, _ = with_app(people.ada)
    as_(client, people.ada)
    away = client.get("/settings/recovery-codes")
    assert away["location"] == "/reauthenticate?next=%2Fsettings%2Frecovery-codes"
    before = client.cookies["session"].value
    wrong = client.post("/reauthenticate", {"password": "wrong", "next": "/settings/recovery-codes"})
    assert "The password is not right." in wrong.content.decode()
    back = client.post("/reauthenticate", {"code": code_of(secret), "next": "/settings/recovery-codes"})
    assert back["location"] == "/settings/recovery-codes"
    assert client.cookies["session"].value != before
    assert client.get("/settings/recovery-codes").status_code == 200
    elsewhere = client.post("/reauthenticate", {"password": PASSWORD, "next": "//evil.example"})
    assert elsewhere["location"] == "/"


def test_wrong_passwords_are_counted_where_they_are_asked_again(client: Client, people: Cast) -> None:
    as_(client, people.ada)
    statuses = [client.post("/reauthenticate", {"password": "wrong"}).status_code for _ in range(11)]
    assert statuses == [200] * 10 + [429]


def test_who_has_no_app_is_asked_for_no_code_of_one(client: Client, people: Cast) -> None:
    with_app(people.ada)
    password(client)
    assert "from your authenticator app" in client.get("/login/second-factor").content.decode()

    Authenticator.objects.filter(user=people.ada, type=Authenticator.Type.TOTP).update(
        type=Authenticator.Type.WEBAUTHN, data={"name": "Key", "credential": {}}
    )

    asked = client.get("/login/second-factor").content.decode()
    assert "One of your recovery codes." in asked
    assert "authenticator app" not in asked
