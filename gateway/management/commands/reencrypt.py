"""`manage.py reencrypt`: stored secrets under the first of `GATEWAY_DATA_ENCRYPTION_KEYS`; the others may then go."""

from __future__ import annotations

from django.core.management.base import CommandError

from admin_api.actions import encryption
from admin_api.actor import SYSTEM
from gateway.management.operator_command import OperatorCommand


class Command(OperatorCommand):
    help = "Brings stored secrets under the first of GATEWAY_DATA_ENCRYPTION_KEYS, so that the others may go."

    def handle(self, **options: object) -> None:
        renewed, contents = encryption.renew(actor=SYSTEM), encryption.renew_contents()
        self.stdout.write(f"Brought under the first key: {renewed.changed} of {renewed.total}")
        if contents.total:
            self.stdout.write(f"And contents of requests: {contents.changed} of {contents.total}")
        unreadable = [*renewed.unreadable, *contents.unreadable]
        if unreadable:
            raise CommandError(f"no key opens: {', '.join(unreadable)}")
