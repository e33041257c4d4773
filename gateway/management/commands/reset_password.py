"""`manage.py reset_password`: a link where one person chooses a new password."""

from __future__ import annotations

from django.core.management.base import CommandParser

from admin_api.actions import passwords
from admin_api.actor import SYSTEM
from admin_api.queries import named
from gateway.management.operator_command import OperatorCommand


class Command(OperatorCommand):
    help = "Prints a link, alone on the last line, to choose a new password; it holds for three days."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email", metavar="E", help="the address the person signs in with")

    def handle(self, *, email: str, **options: object) -> None:
        user = named.user(email)
        link = passwords.create_link(actor=SYSTEM, user=user)
        self.stdout.write(f"For {user.email}, to be used once:")
        self.stdout.write(link)
