"""`manage.py set_role`: another role for somebody who is a member already, `admin` among them."""

from __future__ import annotations

from django.core.management.base import CommandParser

from admin_api.actions import memberships
from admin_api.actor import SYSTEM
from admin_api.queries import named
from gateway.management.operator_command import OperatorCommand
from gateway.models import Membership


class Command(OperatorCommand):
    help = "Gives a member of an organization another role. Only here and by `apply` does a member become an admin."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", required=True, metavar="NAME")
        parser.add_argument("--email", required=True, metavar="E", help="the member's address")
        parser.add_argument(
            "--role", required=True, metavar="R", help=" | ".join(sorted(Membership.Role.values))
        )

    def handle(self, *, organization: str, email: str, role: str, **options: object) -> None:
        member = named.member(named.organization(organization), email)
        old = member.role
        memberships.set_role(actor=SYSTEM, membership=member, role=role)
        self.stdout.write(f"{member.user.email}: {old} -> {role} of {organization}")
