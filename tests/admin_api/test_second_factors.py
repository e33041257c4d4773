"""Second factors below the pages: codes that many try at once, and passkeys that there may be."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import format_hotp_value, hotp_value
from django.db import connection

from admin_api.actions import second_factors
from admin_api.actor import SYSTEM
from admin_api.queries.second_factors import of_user
from gateway.errors import InvalidRequest
from gateway.models import AuditEntry
from tests.people import Cast


def code_of(secret: str, *, periods: int = 0) -> str:
    return format_hotp_value(hotp_value(secret, int(time.time()) // 30 + periods))


def test_of_eight_at_once_with_the_same_codes_one_gets_in_with_each(committed_people: Cast) -> None:
    dev, secret = committed_people.dev, second_factors.new_secret()
    codes = second_factors.add_app(actor=SYSTEM, user=dev, secret=secret, code=code_of(secret, periods=-1))
    shown = code_of(secret)

    def use(_: int) -> tuple[bool, bool]:
        try:
            app = second_factors.use_app_code(dev, shown)
            recovery = second_factors.use_recovery_code(actor=SYSTEM, user=dev, code=codes[0])
            return app is not None, recovery is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        outcomes = list(pool.map(use, range(8)))

    assert [sum(got_in) for got_in in zip(*outcomes, strict=True)] == [1, 1]
    assert AuditEntry.objects.filter(action="recovery_code.used").count() == 1
    assert of_user(dev).codes_left == 9


def test_there_are_twenty_passkeys_at_most(people: Cast) -> None:
    for n in range(20):
        second_factors.add_passkey(actor=SYSTEM, user=people.dev, name=f"Key {n}", credential={})
    with pytest.raises(InvalidRequest, match=r"^There are 20 passkeys already\. Remove one first\.$"):
        second_factors.add_passkey(actor=SYSTEM, user=people.dev, name="One more", credential={})
    assert Authenticator.objects.filter(user_id=people.dev.id, type="webauthn").count() == 20


def test_a_second_app_is_refused_while_there_is_one(people: Cast) -> None:
    first, second = second_factors.new_secret(), second_factors.new_secret()
    second_factors.add_app(actor=SYSTEM, user=people.dev, secret=first, code=code_of(first))
    with pytest.raises(InvalidRequest, match=r"^You have an authenticator app already\. Remove it first\.$"):
        second_factors.add_app(actor=SYSTEM, user=people.dev, secret=second, code=code_of(second))


def test_an_app_beside_a_passkey_keeps_the_codes_that_there_are(people: Cast) -> None:
    codes = second_factors.add_passkey(actor=SYSTEM, user=people.dev, name="Key", credential={})
    secret = second_factors.new_secret()
    assert second_factors.add_app(actor=SYSTEM, user=people.dev, secret=secret, code=code_of(secret)) == []
    assert second_factors.use_recovery_code(actor=SYSTEM, user=people.dev, code=codes[3]) is not None
