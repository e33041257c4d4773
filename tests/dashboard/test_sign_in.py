"""Signing in: the page, its refusals, and what it must not tell."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher, make_password
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import get_resolver

from dashboard.sign_in.throttle import PasswordAttempt
from gateway.models import User
from tests.people import PASSWORD, Cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_failures_counted(valkey: redis.Redis) -> None:
    """Every test begins with an empty Valkey."""


def sign_in(client: Client, email: str, password: str, **more: str) -> object:
    return client.post("/login", {"login": email, "password": password, **more})


def test_the_right_password_opens_the_overview(client: Client, people: Cast) -> None:
    answer = sign_in(client, "ADA@example.com ", PASSWORD)
    assert (answer.status_code, answer["location"]) == (302, "/")
    assert client.get("/").status_code == 200


def test_the_page_has_the_labels_that_people_look_for(client: Client) -> None:
    page = client.get("/login").content.decode()
    assert '<label class="field-label" for="id_login">Email</label>' in page
    assert '<label class="field-label" for="id_password">Password</label>' in page
    assert ">Sign in</button>" in page


def test_unknown_wrong_and_inactive_are_answered_alike(client: Client, people: Cast) -> None:
    User.objects.filter(pk=people.bill.pk).update(is_active=False)
    answers = [
        sign_in(client, "nobody@example.com", PASSWORD),
        sign_in(client, "ada@example.com", "wrong"),
        sign_in(client, "bill@example.com", PASSWORD),
    ]
    assert [answer.status_code for answer in answers] == [200, 200, 200]
    assert [list(answer.context["form"].non_field_errors()) for answer in answers] == [
        ["The email or the password is not right."]
    ] * 3


@pytest.mark.parametrize("email", ["ada@example.com", "nobody@example.com"])
def test_the_eleventh_failure_of_an_account_is_refused_from_any_address(
    client: Client, people: Cast, email: str
) -> None:
    answers = [guess(client, email, address=f"10.0.0.{n}") for n in range(11)]
    assert [answer.status_code for answer in answers] == [200] * 10 + [429]
    assert answers[-1]["retry-after"] == "900"
    assert "Too many failed attempts. Wait 15 minutes and try again." in answers[-1].content.decode()


def test_while_others_guess_the_right_password_opens_from_an_address_that_did_not_fail(
    client: Client, people: Cast
) -> None:
    for n in range(12):
        guess(client, "ada@example.com", address=f"10.0.0.{n}")
    of_a_guesser = guess(Client(), "ada@example.com", PASSWORD, address="10.0.0.3")
    elsewhere = guess(Client(), "ada@example.com", PASSWORD, address="10.0.0.99")
    assert (of_a_guesser.status_code, elsewhere.status_code) == (429, 302)


def test_a_hundred_more_addresses_are_the_last_ones(client: Client, people: Cast) -> None:
    assert guessed_from_everywhere("ada@example.com", times=111) == [True] * 110 + [False]
    assert guess(Client(), "ada@example.com", PASSWORD, address="10.9.9.9").status_code == 429


def test_a_device_that_signed_in_before_gets_in_whatever_others_do(client: Client, people: Cast) -> None:
    guess(client, "ada@example.com", PASSWORD, address="10.0.0.1")
    client.post("/logout")
    guessed_from_everywhere("ada@example.com", times=111)
    for _ in range(11):
        guess(Client(), "bill@example.com", address="10.0.0.1")
    assert guess(client, "ada@example.com", PASSWORD, address="10.0.0.1").status_code == 302


def test_a_known_device_has_ten_failures_of_its_own(client: Client, people: Cast) -> None:
    guess(client, "ada@example.com", PASSWORD)
    client.post("/logout")
    assert [guess(client, "ada@example.com").status_code for _ in range(11)] == [200] * 10 + [429]
    assert guess(client, "ada@example.com", PASSWORD).status_code == 429


def test_a_device_is_known_for_whom_it_signed_in_and_under_the_same_password(
    client: Client, people: Cast
) -> None:
    guess(client, "ada@example.com", PASSWORD)
    client.post("/logout")
    people.ada.set_password("a wholly different passphrase")
    people.ada.save()
    for email in ("ada@example.com", "bill@example.com"):
        guessed_from_everywhere(email, times=111)
        assert guess(client, email, PASSWORD, address="10.9.9.9").status_code == 429, email


def guessed_from_everywhere(email: str, *, times: int) -> list[bool]:
    """Wrong passwords, each from another address; which of them were looked at."""
    requests = (
        RequestFactory().post("/login", REMOTE_ADDR=f"10.1.{n // 250}.{n % 250}") for n in range(times)
    )
    return [PasswordAttempt(request, email).allowed for request in requests]


def guess(client: Client, email: str, password: str = "wrong", *, address: str = "10.0.0.1") -> HttpResponse:
    return client.post("/login", {"login": email, "password": password}, REMOTE_ADDR=address)


@pytest.mark.slow
def test_known_and_unknown_people_wait_equally_long(client: Client, people: Cast) -> None:
    """With the hasher as slow as it is outside of tests, by the middle of several attempts in turns."""
    User.objects.filter(pk=people.bill.pk).update(is_active=False)
    times: dict[str, list[float]] = {"ada@example.com": [], "nobody@example.com": [], "bill@example.com": []}
    with slow_passwords():
        User.objects.update(password=make_password(PASSWORD))
        for n in range(5):
            for email in times:
                begun = time.perf_counter()
                guess(Client(), email, address=f"10.0.{n}.{len(times[email])}")
                times[email].append(time.perf_counter() - begun)
    middles = {email: statistics.median(taken) for email, taken in times.items()}
    assert min(middles.values()) > 0.02, "the hasher was not slow"
    assert max(middles.values()) < 1.6 * min(middles.values()), middles


@contextmanager
def slow_passwords() -> Iterator[None]:
    """A good deal slower than everything else that a sign-in does."""
    quick = (Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost)
    Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost = 2, 32 * 1024
    try:
        yield
    finally:
        Argon2PasswordHasher.time_cost, Argon2PasswordHasher.memory_cost = quick


def test_a_flood_of_forms_from_one_address_is_refused_with_our_page(client: Client) -> None:
    answers = [client.post("/login", {}) for _ in range(31)]
    assert [answer.status_code for answer in answers] == [200] * 30 + [429]
    assert '<h1 class="entrance-title">Too many requests</h1>' in answers[-1].content.decode()


def test_neither_host_nor_spelling_begins_a_new_count(client: Client, people: Cast) -> None:
    spellings = ["ada@example.com", "ADA@example.com", " Ada@Example.com"]
    statuses = [
        client.post(
            "/login",
            {"login": spellings[n % 3], "password": "wrong"},
            REMOTE_ADDR=f"10.0.0.{n}",
            HTTP_HOST=f"localhost:{n + 1}",
        ).status_code
        for n in range(11)
    ]
    assert statuses == [200] * 10 + [429]


def test_the_eleventh_failure_from_an_address_is_refused_for_any_account(
    client: Client, people: Cast
) -> None:
    statuses = [sign_in(client, f"person{n}@example.com", "wrong").status_code for n in range(11)]
    assert statuses == [200] * 10 + [429]
    elsewhere = client.post(
        "/login", {"login": "ada@example.com", "password": PASSWORD}, REMOTE_ADDR="10.9.9.9"
    )
    assert elsewhere.status_code == 302


def test_an_invented_forwarded_address_does_not_begin_a_new_count(client: Client) -> None:
    statuses = [
        client.post(
            "/login",
            {"login": f"person{n}@example.com", "password": "wrong"},
            headers={"x-forwarded-for": f"203.0.113.{n}"},
        ).status_code
        for n in range(11)
    ]
    assert statuses == [200] * 10 + [429]


def test_signing_in_does_not_use_up_the_failures(client: Client, people: Cast) -> None:
    for _ in range(12):
        assert sign_in(client, "ada@example.com", PASSWORD).status_code == 302
        client.post("/logout")


@pytest.mark.parametrize(
    ("following", "arrives"),
    [
        ("/quickstart?tab=curl", "/quickstart?tab=curl"),
        ("//evil.example", "/"),
        ("https://evil.example/", "/"),
        ("http://localhost/elsewhere", "/"),
        ("/\\evil.example", "/"),
        ("javascript:alert(1)", "/"),
    ],
)
def test_next_is_followed_only_within_the_site(
    client: Client, people: Cast, following: str, arrives: str
) -> None:
    assert sign_in(client, "ada@example.com", PASSWORD, next=following)["location"] == arrives


def test_the_session_gets_a_new_key_and_ends_on_the_server(client: Client, people: Cast) -> None:
    client.get("/login")
    client.session.save()
    sign_in(client, "ada@example.com", PASSWORD)
    first = client.cookies["session"].value
    sign_out = client.post("/logout")
    assert sign_out["location"] == "/login"
    stolen = Client()
    stolen.cookies["session"] = first
    assert stolen.get("/").status_code == 302


def test_signing_out_needs_post_and_a_token(people: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.ada, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert client.get("/logout").status_code == 405
    assert client.post("/logout").status_code == 403
    assert client.get("/").status_code == 200


def test_on_plain_http_cookies_are_plain(client: Client, people: Cast) -> None:
    page = client.get("/login")
    answer = sign_in(client, "ada@example.com", PASSWORD)
    cookies = {**page.cookies, **answer.cookies}
    assert {"session", "csrf"} <= set(cookies)
    assert [name for name, cookie in cookies.items() if cookie["secure"] or name.startswith("__")] == []
    assert all(cookie["httponly"] and cookie["samesite"] == "Lax" for cookie in cookies.values())
    assert "strict-transport-security" not in answer.headers


def test_on_https_cookies_are_secure_and_bound_to_the_host() -> None:
    names = (
        "SESSION_COOKIE_NAME",
        "SESSION_COOKIE_SECURE",
        "CSRF_COOKIE_NAME",
        "CSRF_COOKIE_SECURE",
        "SECURE_HSTS_SECONDS",
    )
    script = f"import json; from gateway import settings; print(json.dumps([getattr(settings, n) for n in {names}]))"
    environment = os.environ | {"GATEWAY_PUBLIC_URL": "https://gateway.example.com"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, cwd=settings.BASE_DIR, capture_output=True
    )
    assert json.loads(done.stdout) == ["__Host-session", True, "__Host-csrf", True, 31_536_000]


def test_no_page_of_the_library_is_reachable(client: Client) -> None:
    patterns = [
        pattern for include in get_resolver().url_patterns for pattern in getattr(include, "url_patterns", [])
    ]
    of_allauth = {
        str(one.pattern) for one in patterns if one.callback and "allauth" in one.callback.__module__
    }
    assert of_allauth == set()
    for path in (
        "/signup",
        "/signup/",
        "/accounts/signup/",
        "/password/reset/",
        "/email/",
        "/login/code/",
        "/inactive/",
    ):
        assert client.get(path).status_code == 404, path


def test_a_fragment_of_an_ended_session_sends_the_whole_page_to_sign_in(client: Client) -> None:
    answer = client.get("/limits", headers={"hx-request": "true"})
    assert (answer.status_code, answer["hx-redirect"], answer.content) == (401, "/login", b"")
