"""`manage.py sso`: an organization's single sign-on, as far as it takes an operator."""

from __future__ import annotations

from django.core.management.base import CommandParser

from admin_api.actions import sso_connections
from admin_api.actor import SYSTEM
from admin_api.queries import named
from admin_api.queries.sso import connection_of
from gateway.errors import NotFound
from gateway.management.operator_command import OperatorCommand
from gateway.models import Organization, SsoConnection


class Command(OperatorCommand):
    help = "Allows an organization to sign in the people of a domain, or lets its members in when its provider is away."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", required=True, metavar="NAME")
        step = parser.add_mutually_exclusive_group(required=True)
        step.add_argument(
            "--allow-domain", metavar="D", help="the domain is the organization's: you checked that"
        )
        step.add_argument(
            "--withdraw-domain", metavar="D", help="it is not; its people come no more this way"
        )
        step.add_argument("--stop-requiring", action="store_true", help="passwords open it again")
        step.add_argument("--turn-off", action="store_true", help="nobody comes through its provider")

    def handle(
        self,
        *,
        organization: str,
        allow_domain: str | None = None,
        withdraw_domain: str | None = None,
        stop_requiring: bool = False,
        turn_off: bool = False,
        **options: object,
    ) -> None:
        found = named.organization(organization)
        domain = allow_domain or withdraw_domain
        if domain:
            allowed = allow_domain is not None
            sso_connections.allow_domain(actor=SYSTEM, organization=found, domain=domain, allowed=allowed)
            self.stdout.write(f"{domain}: {'allowed for' if allowed else 'withdrawn from'} {found.name}")
        elif turn_off:
            sso_connections.turn_off(actor=SYSTEM, connection=_connection(found))
            self.stdout.write(f"{found.name}: single sign-on is off")
        else:
            sso_connections.stop_requiring(actor=SYSTEM, connection=_connection(found))
            self.stdout.write(f"{found.name}: members may use their passwords")


def _connection(organization: Organization) -> SsoConnection:
    held = connection_of(organization)
    if held is None:
        raise NotFound(f"{organization.name} has no identity provider.")
    return held
