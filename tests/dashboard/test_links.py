"""Invitations and new passwords by link: looking changes nothing, using works once."""

from __future__ import annotations

import re

import pytest
import redis
from django.conf import settings
from django.test import Client

from admin_api.actions import invites, passwords
from admin_api.actor import SYSTEM
from gateway.models import AuditEntry, Invite, Membership, Organization, User
from tests.people import PASSWORD, Cast

pytestmark = pytest.mark.django_db
NEW_PASSWORD = "a much better secret"


@pytest.fixture(autouse=True)
def _fresh(valkey: redis.Redis) -> None:
    """Failures of sign-in are counted in Valkey."""


def path_of(link: str) -> str:
    """Links begin with the address that operators configured."""
    base = settings.CONFIGURATION.base_url
    assert link.startswith(base + "/")
    return link.removeprefix(base)


def invited(organization: Organization, email: str) -> tuple[Invite, str]:
    invite, token = invites.create(actor=SYSTEM, organization=organization, email=email, role="developer")
    return invite, path_of(invites.link(token))


def test_somebody_new_sees_who_invites_and_joins_with_a_password(client: Client, people: Cast) -> None:
    _, path = invited(people.acme, "grace@example.com")
    page = client.get(path).content.decode()
    assert "Join Acme" in page and "grace@example.com" in page and "Developer" in page
    answer = client.post(path, {"name": "Grace", "password": NEW_PASSWORD})
    assert (answer.status_code, answer["location"]) == (302, "/")
    grace = User.objects.get(email="grace@example.com")
    assert (grace.name, grace.check_password(NEW_PASSWORD)) == ("Grace", True)
    assert Membership.objects.get(user=grace).organization == people.acme
    assert client.get("/").context["frame"].user == grace
    assert client.get(path).status_code == 404


def test_a_weak_password_is_refused_and_the_invitation_stays(client: Client, people: Cast) -> None:
    invite, path = invited(people.acme, "grace@example.com")
    for weak in ("short", "password1234"):
        answer = client.post(path, {"name": "Grace", "password": weak})
        assert answer.status_code == 400
        assert 'role="alert"' in answer.content.decode()
    assert not User.objects.filter(email="grace@example.com").exists()
    assert Invite.objects.get(pk=invite.pk).status == "pending"


def test_all_that_is_wrong_with_a_password_is_said_one_by_one(client: Client, people: Cast) -> None:
    _, path = invited(people.acme, "grace@example.com")
    reset = path_of(passwords.create_link(actor=SYSTEM, user=people.dev))
    for page in (path, reset):
        refused = client.post(page, {"name": "Grace", "password": "12345"}).content.decode()
        assert re.findall("<li>This password is (too [a-z]+)", refused) == ["too short", "too common"]


def test_somebody_known_signs_in_first_and_comes_back(client: Client, people: Cast) -> None:
    _, path = invited(people.acme, "mallory@example.com")
    page = client.get(path).content.decode()
    assert f'href="/login?next={path}"' in page
    refused = client.post(path, {"name": "Mallory", "password": NEW_PASSWORD})
    assert refused.status_code == 400
    assert not Membership.objects.filter(organization=people.acme, user=people.mallory).exists()
    back = client.post("/login", {"login": "mallory@example.com", "password": PASSWORD, "next": path})
    assert back["location"] == path
    assert client.post(path)["location"] == "/"
    assert Membership.objects.get(organization=people.acme, user=people.mallory).role == "developer"
    assert client.get("/").context["frame"].place.organization == people.acme


def test_an_invitation_is_for_its_address_only(client: Client, people: Cast) -> None:
    _, path = invited(people.acme, "grace@example.com")
    client.force_login(people.mallory, backend=settings.AUTHENTICATION_BACKENDS[0])
    assert "You are signed in as mallory@example.com" in client.get(path).content.decode()
    assert client.post(path).status_code == 400
    assert not Membership.objects.filter(organization=people.acme, user=people.mallory).exists()


def test_looking_at_links_changes_nothing(client: Client, people: Cast) -> None:
    invite, path = invited(people.acme, "grace@example.com")
    reset = path_of(passwords.create_link(actor=SYSTEM, user=people.ada))
    lines = AuditEntry.objects.count()
    for address in (path, reset):
        assert client.get(address).status_code == 200
        assert client.head(address).status_code == 200
    assert Invite.objects.get(pk=invite.pk).status == "pending"
    assert User.objects.get(pk=people.ada.pk).password == people.ada.password
    assert AuditEntry.objects.count() == lines


@pytest.mark.parametrize(
    "path", ["/invites/nothing", "/reset/nothing", "/reset/user_x.abc-def", "/invites/%00"]
)
def test_a_wrong_link_is_a_calm_404(client: Client, path: str) -> None:
    answer = client.get(path)
    assert answer.status_code == 404
    assert "does not work" in answer.content.decode()
    assert client.post(path, {"password": NEW_PASSWORD}).status_code == 404


def test_a_new_password_ends_all_sessions_and_the_link(client: Client, people: Cast) -> None:
    elsewhere = Client()
    elsewhere.force_login(people.ada, backend=settings.AUTHENTICATION_BACKENDS[0])
    path = path_of(passwords.create_link(actor=SYSTEM, user=people.ada))
    assert client.post(path, {"password": "short"}).status_code == 400
    assert client.post(path, {"password": NEW_PASSWORD})["location"] == "/login"
    assert "The password is changed." in client.get("/login").content.decode()
    assert elsewhere.get("/").status_code == 302
    assert client.get(path).status_code == 404
    assert client.post("/login", {"login": "ada@example.com", "password": PASSWORD}).status_code == 200
    assert client.post("/login", {"login": "ada@example.com", "password": NEW_PASSWORD}).status_code == 302


def test_forms_of_links_need_a_token(people: Cast) -> None:
    client = Client(enforce_csrf_checks=True)
    _, path = invited(people.acme, "grace@example.com")
    assert client.post(path, {"name": "Grace", "password": NEW_PASSWORD}).status_code == 403
    token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', client.get(path).content.decode())
    assert token is not None
    form = {"name": "Grace", "password": NEW_PASSWORD, "csrfmiddlewaretoken": token[1]}
    assert client.post(path, form).status_code == 302
