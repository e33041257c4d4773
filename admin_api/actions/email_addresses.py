"""Confirm that people read the mail of the addresses that they sign in with."""

from __future__ import annotations

from django.conf import settings
from django.core import signing
from django.db import transaction
from django.utils import timezone

from admin_api import account_notices, audit
from admin_api.actor import Actor
from gateway.errors import NotFound
from gateway.models import User

SALT = "email-address"
SECONDS = 24 * 3600


@transaction.atomic
def ask(*, actor: Actor, user: User) -> None:
    """Mails a link, where mail leaves here."""
    token = signing.dumps([user.id, user.email], salt=SALT)
    account_notices.confirmation_asked(user, f"{settings.CONFIGURATION.base_url}/confirm-email/{token}")
    _record(actor, "email.confirmation_requested", user)


def find(token: str) -> User | None:
    """Whose address a link confirms; None where it is wrong or too old, or the address is another one by now."""
    try:
        user_id, email = signing.loads(token, salt=SALT, max_age=SECONDS)
    except (signing.BadSignature, ValueError):
        return None
    return User.objects.filter(id=user_id, email=email, is_active=True).first()


@transaction.atomic
def confirm(*, token: str, ip_address: str | None = None, request_id: str = "") -> User:
    """Raises `NotFound` for a link that is not valid."""
    user = find(token)
    if user is None:
        raise NotFound(
            "This link is not valid: it is too old, or the address has changed. Ask for a new one."
        )
    user.email_verified_at = timezone.now()
    user.save(update_fields=["email_verified_at"])
    _record(Actor.user(user, ip_address=ip_address, request_id=request_id), "email.confirmed", user)
    return user


def _record(actor: Actor, action: str, user: User) -> None:
    audit.record(
        actor=actor, action=action, target_type="user", target_id=user.id, details={"email": user.email}
    )
