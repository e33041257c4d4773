"""Mails that wait for a mail server: sent once, whatever it does meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.test import override_settings
from django.utils import timezone
from pydantic import SecretStr

from admin_api import alerts, outbox
from admin_api.actions import api_keys, invites, spend_limit_increase_requests, spend_limits
from admin_api.actor import SYSTEM
from admin_api.mail_delivery import deliver
from gateway.email_url import settings_of
from gateway.encryption import Vault
from gateway.models import Mail, SpendLimitIncreaseRequest
from tests.admin_api.mail_server import MailServer
from tests.admin_api.spending import spent
from tests.people import Cast

State = Mail.State


@pytest.fixture
def mail_server() -> Iterator[MailServer]:
    """Where the mail of the test's own process goes."""
    server = MailServer()
    url = f"smtp://127.0.0.1:{server.port}"
    update = {"email_url": SecretStr(url), "email_settings": settings_of(url)}
    configured = settings.CONFIGURATION.model_copy(update=update)
    with override_settings(CONFIGURATION=configured, **settings_of(url)):
        yield server
    server.close()


def waiting(people: Cast, recipient: str = "ada@example.com") -> Mail:
    return Mail.objects.create(organization=people.acme, recipient=recipient, subject="S", text="T")


def text_of(mail: EmailMessage) -> str:
    return str(mail.get_content()).replace("\r\n", "\n")


def sent_again() -> None:
    Mail.objects.update(next_attempt_at=timezone.now())


def asked(people: Cast) -> SpendLimitIncreaseRequest:
    return spend_limit_increase_requests.create(
        actor=SYSTEM, membership=people.dev.memberships.get(), period="monthly", reason="A big\nmigration"
    )


def test_an_alert_arrives_by_mail(people: Cast, mail_server: MailServer) -> None:
    spend_limits.set_amount(actor=SYSTEM, organization=people.acme, period="monthly", amount=100)
    spent(api_keys.create(actor=SYSTEM, organization=people.acme, name="CI")[0], "0.60")
    alerts.tell()

    assert deliver() == 2

    assert {(mail["to"], mail["subject"]) for mail in mail_server.mails} == {
        (address, "50 % of the monthly spend limit of Acme reached")
        for address in ("ada@example.com", "bill@example.com")
    }
    assert mail_server.mails[0].get_content().startswith("Acme has spent $0.60 of $1.00 since ")
    assert mail_server.mails[0]["message-id"].startswith("<mail_01")
    assert deliver() == 0
    assert len(mail_server.mails) == 2


def test_a_mail_server_that_takes_nothing_costs_no_mail_and_doubles_none(
    people: Cast, mail_server: MailServer
) -> None:
    mails = [waiting(people, f"{name}@example.com") for name in ("ada", "bill")]
    mail_server.refusing = True
    assert deliver() == 0
    assert {(row.state, row.last_error) for row in Mail.objects.all()} == {
        (State.PENDING, "the mail server refused it: SMTPSenderRefused")
    }
    mail_server.refusing = False
    assert deliver() == 0  # not yet
    sent_again()

    assert deliver() == 2

    assert sorted(mail["message-id"].split("@")[0][1:] for mail in mail_server.mails) == sorted(
        mail.id for mail in mails
    )
    assert set(Mail.objects.values_list("state", flat=True)) == {State.DELIVERED}


def test_a_mail_server_that_is_away_is_asked_once_for_all(people: Cast) -> None:
    url = "smtp://127.0.0.1:1"
    update = {"email_url": SecretStr(url), "email_settings": settings_of(url)}
    for _ in range(3):
        waiting(people)
    configured = settings.CONFIGURATION.model_copy(update=update)
    with override_settings(CONFIGURATION=configured, **settings_of(url)):
        assert deliver() == 0

    assert sorted(Mail.objects.values_list("attempts", flat=True)) == [0, 0, 1]
    assert Mail.objects.get(attempts=1).last_error == "the mail server is away: ConnectionRefusedError"


def test_a_mail_that_nobody_takes_for_three_days_is_given_up(people: Cast, mail_server: MailServer) -> None:
    row = waiting(people)
    mail_server.refusing = True
    for _ in outbox.PAUSES:
        assert deliver() == 0
        sent_again()

    row.refresh_from_db()
    assert (row.state, row.attempts) == (State.FAILED, len(outbox.PAUSES))
    mail_server.refusing = False
    assert deliver() == 0


def test_admins_are_told_that_a_member_asks_for_more(people: Cast, mail_server: MailServer) -> None:
    request = asked(people)

    assert deliver() == 1

    (mail,) = mail_server.mails
    assert (mail["to"], mail["subject"]) == ("ada@example.com", "Dev asks for a higher spend limit in Acme")
    text = text_of(mail)
    assert text.startswith("Dev (dev@example.com) asks for a higher monthly spend limit in Acme.")
    assert "Reason: A big\nmigration" in text
    assert request.id in text


def test_the_member_is_told_what_was_decided(people: Cast, mail_server: MailServer) -> None:
    spend_limit_increase_requests.approve(actor=SYSTEM, request=asked(people), amount=123456)
    spend_limit_increase_requests.deny(actor=SYSTEM, request=asked(people))
    Mail.objects.filter(recipient="ada@example.com").delete()

    assert deliver() == 2

    assert [(mail["to"], mail["subject"], text_of(mail)) for mail in mail_server.mails] == [
        (
            "dev@example.com",
            f"Your request for a higher spend limit in Acme was {verdict}",
            f"Your request for a higher {text}\n",
        )
        for verdict, text in (
            ("approved", "spend limit in Acme was approved: $1,234.56 monthly from now on."),
            ("denied", "monthly spend limit in Acme was denied."),
        )
    ]


def test_the_member_is_not_told_where_that_is_suppressed(people: Cast, mail_server: MailServer) -> None:
    spend_limit_increase_requests.approve(actor=SYSTEM, request=asked(people), amount=1, notify=False)
    spend_limit_increase_requests.deny(actor=SYSTEM, request=asked(people), notify=False)

    assert set(Mail.objects.values_list("recipient", flat=True)) == {"ada@example.com"}


def test_no_mail_piles_up_where_none_leaves(people: Cast) -> None:
    asked(people)

    assert not Mail.objects.exists()
    assert deliver() == 0


def test_an_invitation_waits_encrypted_and_its_link_is_gone_once_it_is_out(
    people: Cast, mail_server: MailServer
) -> None:
    _, token = invites.create(
        actor=SYSTEM, organization=people.acme, email="new@example.com", role="user", mailing="by a worker"
    )
    row = Mail.objects.get()
    assert (row.recipient, row.subject, row.text) == ("new@example.com", "Invitation to Acme", "")
    assert token not in str(row.__dict__)

    assert deliver() == 1

    assert invites.link(token) in text_of(mail_server.mails[0])
    row.refresh_from_db()
    assert (row.state, row.sealed) == (State.DELIVERED, None)


def test_a_sealed_mail_that_no_key_opens_is_given_up_in_the_end(
    people: Cast, mail_server: MailServer
) -> None:
    foreign = Vault([Fernet.generate_key().decode()]).encrypt("secret")
    row = Mail.objects.create(
        organization=people.acme, recipient="new@example.com", subject="S", text="", sealed=foreign
    )
    for _ in outbox.PAUSES:
        sent_again()
        assert deliver() == 0

    row.refresh_from_db()
    assert (row.state, row.sealed) == (State.FAILED, None)
    assert row.last_error == "none of the data encryption keys opens it"
    assert mail_server.mails == []
