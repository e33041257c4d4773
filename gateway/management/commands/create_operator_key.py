"""`manage.py create_operator_key`: a key for `/platform/v1`, printed once."""

from __future__ import annotations

import datetime

from django.core.management.base import CommandError, CommandParser
from django.utils import timezone

from admin_api.actions import operator_keys
from admin_api.actor import SYSTEM
from gateway.management.operator_command import OperatorCommand

MOST_DAYS = 36_500


class Command(OperatorCommand):
    help = (
        "Makes an operator key and prints it, alone on the last line. It is not stored readably. Whoever has it "
        "administers all organizations, providers, models and tiers through /platform/v1."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True, metavar="N", help="what the key is called in lists")
        parser.add_argument(
            "--expires-in-days", type=int, metavar="D", help="the key ends by itself; without it, it does not"
        )

    def handle(self, *, name: str, expires_in_days: int | None, **options: object) -> None:
        key, secret = operator_keys.create(actor=SYSTEM, name=name, expires_at=_expiry(expires_in_days))
        until = f", works until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at is not None else ""
        self.stdout.write(f"Operator key {key.id}{until}; it is shown only now:")
        self.stdout.write(secret)


def _expiry(days: int | None) -> datetime.datetime | None:
    if days is None:
        return None
    if not 1 <= days <= MOST_DAYS:
        raise CommandError(f"--expires-in-days: expected a number from 1 to {MOST_DAYS}")
    return timezone.now() + datetime.timedelta(days=days)
