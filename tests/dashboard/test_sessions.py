"""Sessions: how long they last, who can see and end them, and that what has ended opens nothing."""

from __future__ import annotations

import datetime
import re
import time

import pytest
import redis
from django.conf import settings
from django.test import Client
from django.utils import timezone

from admin_api.actions import passwords
from admin_api.actor import SYSTEM
from admin_api.vault import vault
from gateway.models import AuditEntry, BrowserSession, Mail, User
from gateway.models.sessions import SIGNED_IN, SessionStore
from tests.people import PASSWORD, Cast

pytestmark = pytest.mark.django_db
NEW = "a wholly different passphrase"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 Version/18.0 Safari/604.1"
)


@pytest.fixture(autouse=True)
def _no_failures_counted(valkey: redis.Redis) -> None:
    """Every test begins with an empty Valkey."""


def signed_in(email: str = "ada@example.com", agent: str = FIREFOX, address: str = "10.0.0.1") -> Client:
    client = Client(HTTP_USER_AGENT=agent, REMOTE_ADDR=address)
    assert client.post("/login", {"login": email, "password": PASSWORD}).status_code == 302
    return client


def key_of(client: Client) -> str:
    return client.cookies["session"].value


def row_of(client: Client) -> BrowserSession:
    return BrowserSession.objects.get(session_key=key_of(client))


def grow_older(client: Client, *, hours: float) -> None:
    """As if the sign-in had been so long ago, and somebody had been there ever since."""
    store = SessionStore(key_of(client))
    store[SIGNED_IN] = {**store[SIGNED_IN], "at": time.time() - hours * 3600}
    store.save()


def is_open(client: Client) -> bool:
    return client.get("/settings").status_code == 200


def test_the_cookie_is_a_random_key_and_the_row_tells_whose_it_is(people: Cast) -> None:
    ada = signed_in()
    row = row_of(ada)
    assert re.fullmatch(r"[a-z0-9]{32}", key_of(ada))
    assert (row.user, row.ip_address, row.user_agent) == (people.ada, "10.0.0.1", FIREFOX)
    assert row.signed_in_at is not None and timezone.now() - row.signed_in_at < datetime.timedelta(minutes=1)


def test_twelve_hours_without_a_page_end_a_session(people: Cast) -> None:
    ada = signed_in()
    left = row_of(ada).expire_date - timezone.now()
    assert datetime.timedelta(hours=11, minutes=59) < left <= datetime.timedelta(hours=12)
    BrowserSession.objects.update(expire_date=timezone.now() - datetime.timedelta(seconds=1))
    assert not is_open(ada)


def test_a_page_after_five_minutes_keeps_it_awake_and_what_a_page_asks_for_by_itself_does_not(
    people: Cast,
) -> None:
    ada = signed_in()
    store = SessionStore(key_of(ada))
    store["seen"] = int(time.time()) - 400
    store.save()
    BrowserSession.objects.update(expire_date=timezone.now() + datetime.timedelta(hours=1))

    ada.get("/limits", headers={"hx-request": "true"})
    assert row_of(ada).expire_date < timezone.now() + datetime.timedelta(hours=2)
    ada.get("/settings")
    assert row_of(ada).expire_date > timezone.now() + datetime.timedelta(hours=11)


def test_pages_one_after_another_write_nothing(people: Cast) -> None:
    ada = signed_in()
    before = row_of(ada).seen_at
    ada.get("/settings")
    assert row_of(ada).seen_at == before


def test_seven_days_after_the_sign_in_it_is_over_however_busy_it_was(people: Cast) -> None:
    ada = signed_in()
    grow_older(ada, hours=7 * 24 - 1)
    assert is_open(ada)
    assert row_of(ada).expire_date <= timezone.now() + datetime.timedelta(hours=1)
    grow_older(ada, hours=7 * 24)
    assert not is_open(ada)


def test_a_cookie_that_was_kept_opens_nothing_after_signing_out(people: Cast) -> None:
    ada = signed_in()
    kept = key_of(ada)
    ada.post("/logout")
    thief = Client()
    for _ in range(3):
        thief.cookies["session"] = kept
        assert thief.get("/settings").status_code == 302
    assert not BrowserSession.objects.filter(session_key=kept).exists()


def test_everybody_sees_their_own_sessions_without_their_keys(people: Cast) -> None:
    ada, phone, dev = signed_in(), signed_in(agent=PHONE, address="10.0.0.7"), signed_in("dev@example.com")
    page = ada.get("/settings/security").content.decode()
    assert "Firefox on Linux" in page and "Safari on iPhone" in page and "10.0.0.7" in page
    assert page.count('name="session"') == 2
    assert [key for key in map(key_of, (ada, phone, dev)) if key in page] == []


def test_one_session_is_ended_and_the_others_go_on(people: Cast) -> None:
    ada, phone = signed_in(), signed_in(agent=PHONE)
    name = names_on(ada)[1]
    ada.post("/settings/sessions/end", {"session": name})
    assert (is_open(phone), is_open(ada)) == (False, True)
    entry = AuditEntry.objects.get(action="session.ended")
    assert (entry.actor_id, entry.details["session"]) == (people.ada.id, name)
    assert ada.post("/settings/sessions/end", {"session": name}).status_code == 404


def test_nobody_ends_sessions_of_others(people: Cast) -> None:
    ada, dev = signed_in(), signed_in("dev@example.com")
    assert ada.post("/settings/sessions/end", {"session": names_on(dev)[0]}).status_code == 404
    ada.post("/settings/sessions/end-others")
    assert is_open(dev)


def names_on(client: Client) -> list[str]:
    """This session first."""
    return re.findall(
        r'name="session" value="([0-9a-f]+)"', client.get("/settings/security").content.decode()
    )


def test_all_others_are_ended_at_once(people: Cast) -> None:
    ada, first, second = signed_in(), signed_in(), signed_in()
    answer = ada.post("/settings/sessions/end-others", follow=True)
    assert "Signed out of 2 other sessions." in answer.content.decode()
    assert [is_open(one) for one in (ada, first, second)] == [True, False, False]


def test_another_password_ends_all_other_sessions_and_gives_this_one_a_new_key(people: Cast) -> None:
    ada, other = signed_in(), signed_in()
    before = key_of(ada)
    answer = ada.post("/settings/password", {"password": PASSWORD, "new": NEW})
    assert answer["location"] == "/settings/security"
    assert (is_open(ada), is_open(other)) == (True, False)
    assert key_of(ada) != before
    assert User.objects.get(pk=people.ada.pk).check_password(NEW)
    assert AuditEntry.objects.get(action="password.changed").actor_id == people.ada.id


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"password": "wrong", "new": NEW}, "The password is not right."),
        ({"password": PASSWORD, "new": "short"}, "This password is too short."),
        ({"password": PASSWORD, "new": PASSWORD}, "hoose one that you do not have now"),
    ],
)
def test_a_password_that_will_not_do_changes_nothing(people: Cast, given: dict[str, str], words: str) -> None:
    ada, other = signed_in(), signed_in()
    refused = ada.post("/settings/password", given)
    assert refused.status_code == 400 and words in refused.content.decode()
    assert is_open(other) and User.objects.get(pk=people.ada.pk).check_password(PASSWORD)


def test_a_reset_ends_every_session(people: Cast) -> None:
    ada, other = signed_in(), signed_in()
    token = passwords.create_link(actor=SYSTEM, user=User.objects.get(pk=people.ada.pk)).rpartition("/")[2]
    Client().post(f"/reset/{token}", {"password": NEW})
    assert (is_open(ada), is_open(other)) == (False, False)
    assert BrowserSession.objects.filter(user=people.ada).count() == 0


@pytest.fixture
def mail_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    update = {"email_url": None, "email_settings": {"EMAIL_HOST": "mail.example.com"}}
    monkeypatch.setattr(settings, "CONFIGURATION", settings.CONFIGURATION.model_copy(update=update))


@pytest.mark.usefixtures("mail_leaves")
def test_a_forgotten_password_is_chosen_anew_by_a_mailed_link(client: Client, people: Cast) -> None:
    assert "Forgot your password?" in client.get("/login").content.decode()
    told = [
        client.post("/forgotten", {"email": email}, follow=True).content.decode()
        for email in ("ADA@example.com", "nobody@example.com")
    ]
    assert all(
        "If there is an account with this address, a link is on its way to it." in page for page in told
    )
    assert Mail.objects.count() == 0

    assert (passwords.answer_by_mail(), passwords.answer_by_mail()) == (1, 0)

    mail = Mail.objects.get()
    assert (mail.recipient, mail.organization) == ("ada@example.com", None)
    link = re.search(r"/reset/\S+", text_of(mail))[0]
    assert client.post(link, {"password": NEW})["location"] == "/login"
    assert User.objects.get(pk=people.ada.pk).check_password(NEW)


def text_of(mail: Mail) -> str:
    """A link waits encrypted."""
    assert mail.text == ""
    return vault().decrypt(mail.sealed)


@pytest.mark.usefixtures("mail_leaves")
def test_nobody_is_mailed_again_and_again(client: Client, people: Cast) -> None:
    statuses = [client.post("/forgotten", {"email": "ada@example.com"}).status_code for _ in range(4)]
    assert statuses == [302] * 3 + [429]


def test_where_no_mail_leaves_operators_are_asked(client: Client) -> None:
    assert "Ask your operator" in client.get("/forgotten").content.decode()
    assert "Forgot your password?" not in client.get("/login").content.decode()


@pytest.mark.usefixtures("mail_leaves")
def test_an_address_is_confirmed_by_a_mailed_link(people: Cast) -> None:
    ada = signed_in()
    assert "Not confirmed" in ada.get("/settings/security").content.decode()
    ada.post("/settings/email")
    link = re.search(r"/confirm-email/\S+", text_of(Mail.objects.get()))[0]
    assert "Is ada@example.com yours?" in ada.get(link).content.decode()
    assert User.objects.get(pk=people.ada.pk).email_verified_at is None
    assert ada.post(link)["location"] == "/settings/security"
    assert User.objects.get(pk=people.ada.pk).email_verified_at is not None


@pytest.mark.usefixtures("mail_leaves")
def test_a_link_for_another_address_confirms_nothing(people: Cast) -> None:
    ada = signed_in()
    ada.post("/settings/email")
    link = re.search(r"/confirm-email/\S+", text_of(Mail.objects.get()))[0]
    User.objects.filter(pk=people.ada.pk).update(email="ada@elsewhere.example")
    assert (ada.get(link).status_code, ada.post(link).status_code) == (404, 404)
