"""Make users."""

from __future__ import annotations

from collections.abc import Sequence

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from admin_api import audit
from admin_api.actor import Actor
from gateway.errors import InvalidRequest
from gateway.models import User


@transaction.atomic
def create(*, actor: Actor, email: str, password: str, name: str = "", is_operator: bool = False) -> User:
    """Somebody who can sign in at once. Addresses are compared without case."""
    address = normalised_email(email)
    if User.objects.filter(email__iexact=address).exists():
        raise InvalidRequest(f"email: {address} has an account already")
    user = User(email=address, name=name.strip()[:200], is_operator=is_operator)
    check_password(password, user=user)
    user.set_password(password)
    user.save(force_insert=True)
    audit.record(
        actor=actor,
        action="user.created",
        target_type="user",
        target_id=user.id,
        details={"email": address, "is_operator": is_operator},
    )
    return user


def normalised_email(email: str) -> str:
    """The address as it is stored: in lower case, without spaces around it."""
    address = email.strip().lower()
    try:
        validate_email(address)
    except ValidationError:
        raise InvalidRequest(f"email: {address!r} is not an e-mail address") from None
    if len(address) > 254:
        raise InvalidRequest("email: expected at most 254 characters")
    return address


def check_password(password: str, *, user: User) -> None:
    """Raises `InvalidRequest` with everything the password validators say, one a line."""
    try:
        validate_password(password, user)
    except ValidationError as problem:
        messages: Sequence[str] = problem.messages
        raise InvalidRequest("\n".join(messages)) from None
