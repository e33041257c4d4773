"""Mails to one person about their own account, on their way through the outbox like every other."""

from __future__ import annotations

from django.conf import settings

from admin_api import mail
from admin_api.vault import vault
from gateway.models import Mail, User

RESET = """\
Somebody, probably you, asked for a new password for {email}.

Choose it here; the link works once, for three days:

{link}

If it was not you, nothing happens unless the link is opened.
"""
CONFIRM = """\
Confirm that {email} is your address; the link works for a day:

{link}
"""
CHANGED = """\
{what}

Account: {email}
If it was not you, ask for a new password at {address}/forgotten and tell your administrator.
"""


def reset_asked(user: User, link: str) -> None:
    _write_sealed(user, "Choose a new password", RESET.format(email=user.email, link=link))


def confirmation_asked(user: User, link: str) -> None:
    _write_sealed(user, "Confirm your address", CONFIRM.format(email=user.email, link=link))


def password_changed(user: User) -> None:
    _tell(user, "Your password was changed")


def second_factors_changed(user: User, what: str) -> None:
    """`what` is a sentence without its full stop."""
    _tell(user, what)


def _tell(user: User, what: str) -> None:
    text = CHANGED.format(what=f"{what}.", email=user.email, address=settings.CONFIGURATION.base_url)
    _write(user, what, text)


def _write(user: User, subject: str, text: str) -> None:
    """Nothing where no mail leaves here."""
    if mail.leaves():
        Mail.objects.create(recipient=user.email, subject=subject, text=text)


def _write_sealed(user: User, subject: str, text: str) -> None:
    """A link in it opens something: it waits encrypted."""
    if mail.leaves():
        Mail.objects.create(recipient=user.email, subject=subject, text="", sealed=vault().encrypt(text))
