"""`manage.py revoke_api_key`: a key that leaked, or is not needed any more, stops working everywhere."""

from __future__ import annotations

from django.core.management.base import CommandParser

from admin_api.actions import api_keys
from admin_api.actor import SYSTEM
from admin_api.queries import named
from gateway.management.operator_command import OperatorCommand
from gateway.models import ApiKey


class Command(OperatorCommand):
    help = "Revokes a key for good, in every process within a second. list_api_keys tells the ids."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", metavar="ID", help="for instance apikey_01...")

    def handle(self, *, id: str, **options: object) -> None:
        key = named.api_key(id)
        api_keys.update(actor=SYSTEM, key=key, status=ApiKey.Status.ARCHIVED)
        self.stdout.write(f"Revoked: {key.id} of {key.organization.name}, {key.hint}, {key.name!r}")
