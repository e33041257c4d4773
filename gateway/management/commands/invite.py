"""`manage.py invite`: a link that lets one person in."""

from __future__ import annotations

from django.core.management.base import CommandParser

from admin_api.actions import invites
from admin_api.actor import SYSTEM
from admin_api.queries import named
from gateway.management.operator_command import OperatorCommand
from gateway.models import Membership


class Command(OperatorCommand):
    help = (
        "Invites a person into an organization and prints the link, alone on the last line. Done again, the link "
        "before is dead."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", required=True, metavar="NAME")
        parser.add_argument(
            "--email", required=True, metavar="E", help="the address that the link is bound to"
        )
        parser.add_argument(
            "--role", required=True, metavar="R", help=" | ".join(sorted(Membership.Role.values))
        )

    def handle(self, *, organization: str, email: str, role: str, **options: object) -> None:
        owner = named.organization(organization)
        invite, token = invites.create(
            actor=SYSTEM, organization=owner, email=email, role=role, replacing=True
        )
        until = f"{invite.expires_at:%Y-%m-%d %H:%M} UTC"
        self.stdout.write(f"For {invite.email} only, {role} of {owner.name}, until {until}, to be used once:")
        self.stdout.write(invites.link(token))
