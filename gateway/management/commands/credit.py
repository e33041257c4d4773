"""`manage.py credit`: what an organization paid ahead, and changes of it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import Any

from django.core.management.base import CommandError, CommandParser

from admin_api.actions import credit
from admin_api.actor import SYSTEM
from admin_api.money import cents
from admin_api.queries import named
from admin_api.queries.credit import credit as credit_of
from gateway.management.operator_command import OperatorCommand
from gateway.models import Organization


class Command(OperatorCommand):
    help = "Shows an organization's credit, or changes it; --prepaid on or off says whether it is held to it."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        """argparse takes DOLLARS only right behind ORGANIZATION, unless options are told to be among them."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.parse_args = parser.parse_intermixed_args
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("organization", metavar="ORGANIZATION", help="its name")
        parser.add_argument("amount", metavar="DOLLARS", nargs="?", help="such as 50 or -12.50")
        parser.add_argument("--note", metavar="TEXT", default="", help="what it was for")
        parser.add_argument("--prepaid", choices=("on", "off"), help="begin or end to take what is spent")

    def handle(
        self,
        *,
        organization: str,
        amount: str | None,
        note: str,
        prepaid: str | None,
        **options: object,
    ) -> None:
        found = named.organization(organization)
        if amount is not None:
            credit.adjust(actor=SYSTEM, organization=found, amount=_cents(amount), note=note)
        if prepaid is not None:
            (credit.begin if prepaid == "on" else credit.end)(actor=SYSTEM, organization=found)
        self.stdout.write(_told(found))


def _cents(dollars: str) -> int:
    """Raises `CommandError` for what is no amount of dollars and whole cents."""
    try:
        amount = cents(Decimal(dollars))
    except InvalidOperation:
        amount = Decimal("NaN")
    if not amount.is_finite() or amount != int(amount):
        raise CommandError(f"{dollars!r} is no amount; expected dollars such as 50 or -12.50")
    return int(amount)


def _told(organization: Organization) -> str:
    found = credit_of(organization)
    balance = f"{organization.name}: {found.balance / 100:,.2f} USD left"
    if found.prepaid_since is None:
        return f"{balance}; not prepaid"
    return (
        f"{balance} of {found.granted / 100:,.2f}; prepaid since {found.prepaid_since:%Y-%m-%d %H:%M} UTC,"
        f" spent {found.spent:,.2f}"
    )
