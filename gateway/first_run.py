"""The first start of an installation: somebody to sign in as, keys to call with, models to call.

Runs at every start and does its work once: as soon as any organization exists, there is nothing left to do.
"""

from __future__ import annotations

import dataclasses
import secrets
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction

from admin_api.actions import api_keys, memberships, organizations, users
from admin_api.actor import SYSTEM
from gateway import quickstart
from gateway.credentials import Kind
from gateway.declaration import reading
from gateway.declaration.apply import apply
from gateway.declaration.variables import variables
from gateway.models import Membership, Organization, Tier, User

ORGANIZATION = "Default"
TIER = "pro"  # limits that show in the dashboard and do not stop a newcomer's first experiments
ADMIN_EMAIL = "admin@gateway.local"
PASSWORD_CHANGED = "changed-since-the-first-run"  # no password is shown that does not work
PRESETS = Path(__file__).parent / "presets"
LOCK = 0x67770002  # several machines may start at once


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What there is to tell; never a secret. `made` is False from the second start on."""

    made: bool
    lines: tuple[str, ...]


@transaction.atomic
def prepare() -> Outcome:
    """Sets up a new installation, or brings the addresses in quickstart.env up to date."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [LOCK])
    if Organization.objects.exists():
        return _later_start()
    return _first_start()


def _first_start() -> Outcome:
    organization = organizations.create(actor=SYSTEM, name=ORGANIZATION, tier=Tier.objects.get(name=TIER))
    password = secrets.token_urlsafe(18)
    admin = users.create(actor=SYSTEM, email=ADMIN_EMAIL, password=password, name="Admin", is_operator=True)
    memberships.add(actor=SYSTEM, organization=organization, user=admin, role=Membership.Role.ADMIN)
    changes = _presets()
    values = quickstart.Quickstart(
        base_url=settings.CONFIGURATION.base_url,
        api_key=_key(organization, admin, "Quickstart", "api"),
        admin_key=_key(organization, admin, "Quickstart admin", "admin"),
        admin_email=ADMIN_EMAIL,
        admin_password=password,
    )
    # Written before the commit: a crash in between leaves a stale file that the next start replaces, while
    # the other order would leave an installation that nobody can get into.
    quickstart.write(settings.CONFIGURATION.data_dir, values)
    where = settings.CONFIGURATION.data_dir / quickstart.FILE_NAME
    return Outcome(True, (f"First run: the keys and the password are in {where}", *changes))


def _key(organization: Organization, admin: User, name: str, kind: Kind) -> str:
    _, secret = api_keys.create(
        actor=SYSTEM, organization=organization, name=name, kind=kind, created_by=admin
    )
    return secret


def _presets() -> list[str]:
    """A catalog for each provider whose key is in the environment."""
    configuration = settings.CONFIGURATION
    wanted = {
        "anthropic": configuration.upstream_anthropic_api_key,
        "openai": configuration.upstream_openai_api_key,
    }
    changes: list[str] = []
    for name, key in wanted.items():
        if key is not None:
            declaration = reading.read((PRESETS / f"{name}.yaml").read_text(), variables())
            changes += apply(declaration, actor=SYSTEM)
    return changes


def _still_works(found: dict[str, str]) -> bool:
    admin = User.objects.filter(email=found.get("GATEWAY_ADMIN_EMAIL", "")).first()
    return admin is not None and admin.check_password(found.get("GATEWAY_ADMIN_PASSWORD", ""))


def _later_start() -> Outcome:
    """A lost quickstart.env stays lost: nobody but a person at the command line gets new secrets."""
    folder = settings.CONFIGURATION.data_dir
    found = quickstart.read(folder)
    if found is not None:
        changed = quickstart.addresses(settings.CONFIGURATION.base_url)
        if not _still_works(found):
            changed["GATEWAY_ADMIN_PASSWORD"] = PASSWORD_CHANGED
        quickstart.update(folder, changed)
        return Outcome(False, ())
    operator = User.objects.filter(is_operator=True, is_active=True).order_by("created_at").first()
    owner = Organization.objects.order_by("created_at").first()
    return Outcome(
        False,
        (
            f"{folder / quickstart.FILE_NAME} is gone; its secrets are stored nowhere else. For new ones:",
            f"  manage.py reset_password {operator.email if operator else 'EMAIL'}",
            f'  manage.py create_api_key --organization "{owner}" --name NAME [--admin]',
        ),
    )
