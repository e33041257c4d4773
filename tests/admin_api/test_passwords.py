from __future__ import annotations

import datetime

import pytest
from django.conf import settings
from django.contrib.auth import get_user
from django.http import HttpRequest
from django.test import Client
from django.utils import timezone

from admin_api.actions import passwords
from admin_api.actor import SYSTEM
from gateway.errors import InvalidRequest, NotFound
from gateway.models import AuditEntry, BrowserSession, User
from tests.people import PASSWORD, Cast

NEW = "a wholly different passphrase"


def token_for(user: User) -> str:
    link = passwords.create_link(actor=SYSTEM, user=user)
    assert link.startswith(f"{settings.CONFIGURATION.base_url}/reset/")
    return link.rpartition("/")[2]


def test_a_link_sets_the_password_once(people: Cast) -> None:
    token = token_for(people.dev)

    assert passwords.find(token) == people.dev
    assert passwords.set_password(token=token, password=NEW) == people.dev
    assert User.objects.get(pk=people.dev.pk).check_password(NEW)
    assert passwords.find(token) is None
    with pytest.raises(
        NotFound, match=r"^This link is not valid: it has been used or is too old. Ask for a new one.$"
    ):
        passwords.set_password(token=token, password=PASSWORD)


def test_setting_a_password_ends_the_sessions_of_that_user_only(people: Cast) -> None:
    dev, ada = Client(), Client()
    dev.force_login(people.dev)
    ada.force_login(people.ada)

    passwords.set_password(token=token_for(people.dev), password=NEW)

    assert signed_in(dev) is None
    assert signed_in(ada) == people.ada


def signed_in(client: Client) -> User | None:
    """Who Django takes the client for, by the check that its authentication middleware makes."""
    request = HttpRequest()
    request.session = client.session
    user = get_user(request)
    return user if user.is_authenticated else None


def test_a_weak_password_is_refused_and_the_link_stays(people: Cast) -> None:
    token = token_for(people.dev)

    with pytest.raises(InvalidRequest) as refused:
        passwords.set_password(token=token, password="dev@example.com")

    assert refused.value.message == "The password is too similar to the email."
    assert passwords.find(token) == people.dev


def test_a_wrong_or_foreign_token_finds_nobody(people: Cast) -> None:
    token = token_for(people.dev)
    foreign = people.ada.id + token[token.index(".") :]

    for wrong in ("", ".", "x", token + "x", token[:-1], foreign, "\x00" + token, "user.\x00-\x00"):
        assert passwords.find(wrong) is None


def test_a_link_ends_with_time_with_a_sign_in_and_with_the_account(
    people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    token = token_for(people.dev)
    signed_in_since, deactivated = token_for(people.ada), token_for(people.bill)
    User.objects.filter(pk=people.ada.pk).update(last_login=timezone.now())
    User.objects.filter(pk=people.bill.pk).update(is_active=False)
    later = datetime.datetime.now() + datetime.timedelta(days=3, minutes=1)
    monkeypatch.setattr(passwords._tokens, "_now", lambda: later)

    assert [passwords.find(one) for one in (token, signed_in_since, deactivated)] == [None, None, None]


def test_both_steps_are_in_the_audit_log(people: Cast) -> None:
    before = AuditEntry.objects.count()
    passwords.set_password(token=token_for(people.dev), password=NEW)

    lines = AuditEntry.objects.order_by("id").values_list("action", "actor_type", "target_id")[before:]
    assert list(lines) == [
        ("password.reset_requested", "system", people.dev.id),
        ("password.set", "user", people.dev.id),
    ]


def test_the_user_with_open_sessions_keeps_none_after_a_reset(people: Cast) -> None:
    client = Client()
    client.force_login(people.dev)
    assert BrowserSession.objects.count() == 1

    passwords.set_password(token=token_for(people.dev), password=NEW)

    assert signed_in(client) is None
    assert BrowserSession.objects.count() == 0  # Django flushes what it no longer trusts
