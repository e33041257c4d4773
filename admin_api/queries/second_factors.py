"""What a person signs in with beside their password."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Sequence

from allauth.mfa.models import Authenticator
from django.db.models import QuerySet

from gateway.models import User

Type = Authenticator.Type
FACTORS = (Type.TOTP, Type.WEBAUTHN)  # recovery codes stand in for one of these and are none by themselves


@dataclasses.dataclass(frozen=True)
class SecondFactors:
    """The authenticator app, passkeys by age, and how many recovery codes are left (None: there are none)."""

    app: Authenticator | None
    passkeys: Sequence[Authenticator]
    codes_left: int | None

    def __bool__(self) -> bool:
        return self.app is not None or bool(self.passkeys)


def of_user(user: User) -> SecondFactors:
    rows = list(Authenticator.objects.filter(user_id=user.pk).order_by("created_at", "id"))
    app = next((row for row in rows if row.type == Type.TOTP), None)
    codes = next((row for row in rows if row.type == Type.RECOVERY_CODES), None)
    passkeys = [row for row in rows if row.type == Type.WEBAUTHN]
    return SecondFactors(app, passkeys, len(codes.wrap().get_unused_codes()) if codes else None)


def has_second_factor(user: User) -> bool:
    return factors().filter(user_id=user.pk).exists()


def factors() -> QuerySet[Authenticator]:
    """Everybody's; with `user_id` for who has any."""
    found: QuerySet[Authenticator] = Authenticator.objects.filter(type__in=FACTORS)
    return found


def with_second_factor(user_ids: Collection[str]) -> frozenset[str]:
    """Those of these users who sign in with more than a password."""
    return frozenset(factors().filter(user_id__in=user_ids).values_list("user_id", flat=True))
