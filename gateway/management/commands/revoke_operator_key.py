"""`manage.py revoke_operator_key`: an operator key that leaked, or is not needed any more, stops working."""

from __future__ import annotations

from django.core.management.base import CommandParser

from admin_api.actions import operator_keys
from admin_api.actor import SYSTEM
from admin_api.queries import named
from gateway.management.operator_command import OperatorCommand


class Command(OperatorCommand):
    help = "Revokes an operator key for good, at once. list_operator_keys tells the ids."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("id", metavar="ID", help="for instance opkey_01...")

    def handle(self, *, id: str, **options: object) -> None:
        key = operator_keys.revoke(actor=SYSTEM, key=named.operator_key(id))
        self.stdout.write(f"Revoked: {key.id}, {key.hint}, {key.name!r}")
