"""The one cast of people that all tests share, as rows: call `cast()` in a test that may use the database.

Ada runs Acme; Dev, Bill and Uma work there. Mallory runs Umbrella, the other organization. Olga operates the
gateway and belongs to nobody. Everyone's password is `PASSWORD`.
"""

from __future__ import annotations

import dataclasses
import functools

from django.contrib.auth.hashers import make_password

from admin_api.actions import organizations
from admin_api.actor import SYSTEM
from gateway.models import Membership, Organization, Tier, User

PASSWORD = "correct horse battery staple"


@dataclasses.dataclass(frozen=True)
class Cast:
    acme: Organization
    umbrella: Organization
    ada: User
    dev: User
    bill: User
    uma: User
    mallory: User
    olga: User


def cast() -> Cast:
    acme = organizations.create(actor=SYSTEM, name="Acme", tier=Tier.objects.get(name="pro"))
    umbrella = organizations.create(actor=SYSTEM, name="Umbrella", tier=Tier.objects.get(name="pro"))
    return Cast(
        acme=acme,
        umbrella=umbrella,
        ada=person("Ada", acme, Membership.Role.ADMIN),
        dev=person("Dev", acme, Membership.Role.DEVELOPER),
        bill=person("Bill", acme, Membership.Role.BILLING),
        uma=person("Uma", acme, Membership.Role.USER),
        mallory=person("Mallory", umbrella, Membership.Role.ADMIN),
        olga=person("Olga", None, None, is_operator=True),
    )


def person(
    name: str, organization: Organization | None, role: str | None, *, is_operator: bool = False
) -> User:
    user = User.objects.create(
        email=f"{name.lower()}@example.com", name=name, password=_hash(), is_operator=is_operator
    )
    if organization is not None and role is not None:
        Membership.objects.create(organization=organization, user=user, role=role)
    return user


@functools.cache
def _hash() -> str:
    """Argon2 is slow on purpose: once per test run is enough."""
    return make_password(PASSWORD)
