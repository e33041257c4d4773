"""What people sign in with beside their password: authenticator apps, passkeys, and recovery codes for a lost one."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping

from allauth.core.internal.cryptokit import compare_user_code
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.internal.auth import RecoveryCodes
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from allauth.mfa.utils import decrypt
from allauth.mfa.webauthn.internal.auth import WebAuthn
from django.db import transaction

from admin_api import account_notices, audit
from admin_api.actor import Actor
from admin_api.queries.second_factors import FACTORS
from gateway.errors import InvalidRequest, NotFound
from gateway.models import Organization, User

Type = Authenticator.Type
MOST_PASSKEYS = 20
LONGEST_NAME = 100
LAST_PERIOD = "last_period"  # in the data of an app: the newest period whose code was used


@transaction.atomic
def add_app(*, actor: Actor, user: User, secret: str, code: str) -> list[str]:
    """An authenticator app that shows the right code for its secret (base32). The first recovery codes, if it is the
    first second factor, else none: they are not to be had again. Raises `InvalidRequest`.
    """
    _hold(user)
    if Authenticator.objects.filter(user_id=user.pk, type=Type.TOTP).exists():
        raise InvalidRequest("You have an authenticator app already. Remove it first.")
    period = _period_of(secret, code, after=0)
    if period is None:
        raise InvalidRequest("code: is not right. Is the clock of your phone exact?")
    row = TOTP.activate(user, secret).instance
    row.data[LAST_PERIOD] = period
    row.save(update_fields=["data"])
    _record(actor, "second_factor.added", user, {"type": "app"})
    account_notices.second_factors_changed(user, "An authenticator app was added to your account")
    return _first_codes(user)


@transaction.atomic
def add_passkey(*, actor: Actor, user: User, name: str, credential: dict[str, object]) -> list[str]:
    """`credential` is what a browser made and was checked to be its answer to us. As `add_app`."""
    _hold(user)
    if Authenticator.objects.filter(user_id=user.pk, type=Type.WEBAUTHN).count() >= MOST_PASSKEYS:
        raise InvalidRequest(f"There are {MOST_PASSKEYS} passkeys already. Remove one first.")
    name = name.strip()[:LONGEST_NAME] or "Passkey"
    row = WebAuthn.add(user, name, credential).instance
    _record(actor, "second_factor.added", user, {"type": "passkey", "id": row.pk, "name": name})
    account_notices.second_factors_changed(user, "A passkey was added to your account")
    return _first_codes(user)


@transaction.atomic
def remove(*, actor: Actor, user: User, id: int) -> None:
    """An app or a passkey; with the last one go the recovery codes. Raises `NotFound`, and `InvalidRequest` where an
    organization of theirs asks for a second factor and there would be none.
    """
    _hold(user)
    mine = Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS)
    row = mine.filter(pk=id).first()
    if row is None:
        raise NotFound("There is no such second factor.")
    last = not mine.exclude(pk=id).exists()
    asking = Organization.objects.filter(memberships__user=user, require_second_factor=True).first()
    if last and asking:
        raise InvalidRequest(
            f"{asking.name} asks for a second factor. Add another one before you remove this."
        )
    details = {"type": _word(row), "id": row.pk, "name": row.data.get("name", "")}
    row.delete()
    if last:
        Authenticator.objects.filter(user_id=user.pk).delete()
    _record(actor, "second_factor.removed", user, details)
    account_notices.second_factors_changed(user, "A second factor was removed from your account")


@transaction.atomic
def renew_codes(*, actor: Actor, user: User) -> list[str]:
    """New recovery codes in place of those before; they are not to be had again."""
    _hold(user)
    if not Authenticator.objects.filter(user_id=user.pk, type__in=FACTORS).exists():
        raise InvalidRequest("Recovery codes stand in for a second factor: set one up first.")
    Authenticator.objects.filter(user_id=user.pk, type=Type.RECOVERY_CODES).delete()
    _record(actor, "recovery_codes.renewed", user, {})
    account_notices.second_factors_changed(user, "Your account has new recovery codes")
    return _first_codes(user)


@transaction.atomic
def reset(*, actor: Actor, user: User) -> int:
    """Takes all of them away, for somebody who lost phone and codes; how many there were. Ends their sessions."""
    _hold(user)
    gone, _ = Authenticator.objects.filter(user_id=user.pk).delete()
    ended, _ = user.sessions.all().delete()
    _record(actor, "second_factor.reset", user, {"removed": gone, "sessions_ended": ended})
    account_notices.second_factors_changed(user, "The second factors of your account were taken away")
    return gone


@transaction.atomic
def use_recovery_code(*, actor: Actor, user: User, code: str) -> Authenticator | None:
    """The codes, where this is one that was not used before; it is from now on."""
    row = Authenticator.objects.filter(user_id=user.pk, type=Type.RECOVERY_CODES).first()
    codes = row.wrap() if row else None
    if codes is None or not codes.validate_code(code):
        return None
    left = len(RecoveryCodes(codes.instance).get_unused_codes())
    _record(actor, "recovery_code.used", user, {"left": left})
    account_notices.second_factors_changed(user, "A recovery code of your account was used")
    return row


def use_app_code(user: User, code: str) -> Authenticator | None:
    """The app, where this is its code of now, or of half a minute before or after. Each period counts once, and none
    before one that was used: a code that somebody saw opens nothing.
    """
    with transaction.atomic():
        mine = Authenticator.objects.filter(user_id=user.pk, type=Type.TOTP)
        row = mine.select_for_update().first()
        period = row and _period_of(decrypt(row.data["secret"]), code, after=row.data.get(LAST_PERIOD, 0))
        if row is None or period is None:
            return None
        row.data[LAST_PERIOD] = period
        row.save(update_fields=["data"])
        return row


def new_secret() -> str:
    """160 bits, as apps take them: base32."""
    return base64.b32encode(secrets.token_bytes(20)).decode()


def _period_of(secret: str, code: str, *, after: int) -> int | None:
    """The newest period after that one whose code this is."""
    fitting = [
        period
        for period in yield_hotp_counters_from_time()
        if period > after
        and compare_user_code(actual=code, expected=format_hotp_value(hotp_value(secret, period)))
    ]
    return max(fitting, default=None)


def _first_codes(user: User) -> list[str]:
    if Authenticator.objects.filter(user_id=user.pk, type=Type.RECOVERY_CODES).exists():
        return []
    return RecoveryCodes.activate(user).generate_codes()


def _hold(user: User) -> None:
    """One change of a person's factors at a time."""
    User.objects.select_for_update(no_key=True).get(pk=user.pk)


def _word(row: Authenticator) -> str:
    return "app" if row.type == Type.TOTP else "passkey"


def _record(actor: Actor, action: str, user: User, details: Mapping[str, object]) -> None:
    audit.record(actor=actor, action=action, target_type="user", target_id=user.id, details=details)
