"""Change passwords, and reset them by link.

The token of a link is `<user id>.<Django's reset token>`: signed under SECRET_KEY together with the password's hash and
the last sign-in, so that using it, or signing in, ends it. It holds for `PASSWORD_RESET_TIMEOUT` (3 days).
"""

from __future__ import annotations

from django.conf import settings
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.db import transaction

from admin_api import account_notices, audit
from admin_api.actions import users
from admin_api.actor import Actor
from gateway.errors import InvalidRequest, NotFound
from gateway.models import PasswordResetRequest, User

_tokens = PasswordResetTokenGenerator()


@transaction.atomic
def create_link(*, actor: Actor, user: User) -> str:
    """An address where this user can choose a new password."""
    _record(actor, "password.reset_requested", user)
    return f"{settings.CONFIGURATION.base_url}/reset/{user.id}.{_tokens.make_token(user)}"


def find(token: str) -> User | None:
    """Whose password a link resets, None when the link is wrong, used or too old."""
    return _checked(token, User.objects.filter(id=_user_id(token)).first())


@transaction.atomic
def set_password(*, token: str, password: str, ip_address: str | None = None, request_id: str = "") -> User:
    """Sets the password; every session of the user ends, since sessions are bound to the password's hash.

    Raises `NotFound` (the link) and `InvalidRequest` (the password).
    """
    user = _checked(token, User.objects.select_for_update().filter(id=_user_id(token)).first())
    if user is None:
        raise NotFound("This link is not valid: it has been used or is too old. Ask for a new one.")
    _set(user, password)
    _record(Actor.user(user, ip_address=ip_address, request_id=request_id), "password.set", user)
    return user


@transaction.atomic
def change(*, actor: Actor, user: User, password: str) -> User:
    """Another password for somebody who proved that they know theirs; all their sessions end.

    Raises `InvalidRequest` with what is wrong with it.
    """
    held = User.objects.select_for_update().get(pk=user.pk)
    if held.check_password(password):
        raise InvalidRequest("password: choose one that you do not have now")
    _set(held, password)
    _record(actor, "password.changed", held)
    return held


def ask_by_mail(*, email: str, ip_address: str | None = None, request_id: str = "") -> None:
    """The same row whoever asks for whatever address, so that nobody learns from the time it takes who is known."""
    PasswordResetRequest.objects.create(email=email.strip(), ip_address=ip_address, request_id=request_id)


def answer_by_mail() -> int:
    """Mails a link to everybody who asked and may sign in; how many mails there are."""
    return sum(iter(_answer_next, None))


def _answer_next() -> int | None:
    """1 where the next one who asked is known, else 0; None without any."""
    with transaction.atomic():
        asked = PasswordResetRequest.objects.select_for_update(skip_locked=True).order_by("id").first()
        if asked is None:
            return None
        asked.delete()
        user = User.objects.filter(email__iexact=asked.email, is_active=True).first()
        if user is not None:
            actor = Actor("system", "", asked.ip_address, asked.request_id)
            account_notices.reset_asked(user, create_link(actor=actor, user=user))
        return int(user is not None)


def _set(user: User, password: str) -> None:
    """Sessions are bound to the password's hash as well: no process that comes late keeps one alive."""
    users.check_password(password, user=user)
    user.set_password(password)
    user.save(update_fields=["password"])
    user.sessions.all().delete()
    account_notices.password_changed(user)


def _user_id(token: str) -> str:
    """What stands before the dot; PostgreSQL takes no NUL, and no id has one."""
    user_id = token.partition(".")[0]
    return "" if "\x00" in user_id else user_id


def _checked(token: str, user: User | None) -> User | None:
    good = user is not None and user.is_active and _tokens.check_token(user, token.partition(".")[2])
    return user if good else None


def _record(actor: Actor, action: str, user: User) -> None:
    audit.record(
        actor=actor, action=action, target_type="user", target_id=user.id, details={"email": user.email}
    )
