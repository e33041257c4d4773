"""`manage.py reset_second_factor`: for somebody who lost phone, passkeys and recovery codes."""

from __future__ import annotations

from django.core.management.base import CommandParser

from admin_api.actions import second_factors
from admin_api.actor import SYSTEM
from admin_api.queries import named
from gateway.management.operator_command import OperatorCommand


class Command(OperatorCommand):
    help = "Takes a person's second factors and recovery codes away and ends their sessions. Be sure who asks you."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="E", help="the address the person signs in with")

    def handle(self, *, email: str, **options: object) -> None:
        user = named.user(email)
        second_factors.reset(actor=SYSTEM, user=user)
        self.stdout.write(f"{user.email} signs in with the password alone from now on.")
