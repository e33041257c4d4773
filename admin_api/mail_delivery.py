"""Sends the mails that wait, one by one: a mail server that takes none costs no mail."""

from __future__ import annotations

import smtplib
import time
from urllib.parse import urlsplit

import structlog
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.mail import EmailMessage, get_connection

from admin_api import mail, outbox
from admin_api.vault import vault
from gateway.models import Mail

log = structlog.get_logger(__name__)

# Of one round, after which the next one goes on: none holds a worker for long.
SECONDS = 25.0


def deliver() -> int:
    """Sends what is due; how many were delivered. Stops at a mail server that is away: the others wait as well."""
    sent, deadline = 0, time.monotonic() + SECONDS
    while mail.leaves() and time.monotonic() < deadline and (rows := outbox.take(Mail.objects.all(), 1)):
        try:
            sent += _send(rows[0])
        except OSError as away:
            _failed(rows[0], f"the mail server is away: {type(away).__name__}")
            break
    return sent


def _send(row: Mail) -> bool:
    """Whether the mail server took it. Raises `OSError` where there is none."""
    try:
        with get_connection() as server:
            server.send_messages([_message(row)])
    except (smtplib.SMTPConnectError, smtplib.SMTPServerDisconnected):
        raise
    except InvalidToken:
        _failed(row, "none of the data encryption keys opens it")
        return False
    except smtplib.SMTPException as refusal:
        _failed(row, f"the mail server refused it: {type(refusal).__name__}")
        return False
    outbox.delivered(row)
    _forget_secret(row)
    return True


def _message(row: Mail) -> EmailMessage:
    """Each attempt has the same id, by which mail readers know a copy."""
    host = urlsplit(settings.CONFIGURATION.base_url).hostname
    headers = {"Message-ID": f"<{row.id}@{host}>"}
    text = row.text if row.sealed is None else vault().decrypt(row.sealed)
    return EmailMessage(row.subject, text, None, [row.recipient], headers=headers)


def _failed(row: Mail, error: str) -> None:
    last = outbox.failed(row, error)
    if last:
        _forget_secret(row)
    log.error("mail_not_sent", mail_id=row.id, attempts=row.attempts, error=error, given_up=last)


def _forget_secret(row: Mail) -> None:
    if row.sealed is not None:
        row.sealed = None
        row.save(update_fields=["sealed"])
