"""`manage.py reconcile`: does the ledger say what the provider's own report says?"""

from __future__ import annotations

import datetime
import os
import sys
from typing import NoReturn

import msgspec
from django.core.management.base import CommandError, CommandParser
from django.db import connection
from rich.console import Console
from rich.table import Table

from admin_api.queries import named
from gateway.errors import InvalidRequest
from gateway.management.operator_command import OperatorCommand, counted, date
from gateway.metering import partitions
from gateway.models import Provider
from gateway.reconciliation import ledger_report, provider_report
from gateway.reconciliation.figures import differences
from gateway.reconciliation.telling import as_json, as_table, dollars

ADMIN_KEY = "UPSTREAM_ANTHROPIC_ADMIN_KEY"
DIFFERENT = 2
WIDEST = 100_000  # columns


class Command(OperatorCommand):
    help = (
        "Compares the usage events of a provider, whichever organization's, with the usage and cost report of its "
        "Admin API, by day, model and class of tokens, and lists what differs. The exit code is 0 if nothing does, "
        "2 if something does, and 1 if it could not be found out."
    )

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: object) -> CommandParser:
        """A wrong word is a 1 here: argparse's own 2 has another meaning."""
        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.exit = _exit
        return parser

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--provider", required=True, metavar="NAME", help="the provider's name in the catalog"
        )
        parser.add_argument(
            "--from", dest="first", type=date, required=True, metavar="DATE", help="the first UTC day"
        )
        parser.add_argument(
            "--to", dest="last", type=date, required=True, metavar="DATE", help="the last UTC day"
        )
        parser.add_argument(
            "--admin-key-env",
            default=ADMIN_KEY,
            metavar="VAR",
            help=f"the environment variable that holds an Admin key of the provider ({ADMIN_KEY})",
        )
        parser.add_argument("--json", action="store_true", help="one JSON object instead of the table")

    def handle(
        self,
        *,
        provider: str,
        first: datetime.date,
        last: datetime.date,
        admin_key_env: str,
        json: bool,
        **options: object,
    ) -> None:
        asked = named.provider(provider)
        _check(asked, first, last)
        key = os.environ.get(admin_key_env, "").strip()
        if not key:
            raise CommandError(f"{admin_key_env} is not set: put an Admin key of {provider} there")
        with connection.cursor() as cursor:
            ledger, doubts = ledger_report.read(cursor, provider, first, last)
        try:
            reported = provider_report.read(asked.base_url, key, first, last)
        except provider_report.ReportUnavailable as problem:
            raise CommandError(f"{provider} tells no report: {problem}") from None
        found = list(differences(ledger, reported, doubts))
        if json:
            self.stdout.write(msgspec.json.encode(as_json(ledger, reported, found)).decode())
        elif found:
            self._show(as_table(found))
        else:
            self.stdout.write(f"Equal: {ledger.tokens:,} tokens, ${dollars(ledger.cost)}.")
        if found:
            verb = "differs" if len(found) == 1 else "differ"
            raise CommandError(f"{counted(len(found), 'figure')} {verb}", returncode=DIFFERENT)

    def _show(self, table: Table) -> None:
        """In a pipe each difference is one line, for grep."""
        self.stdout.ending = ""  # the table ends its lines itself
        console = Console(file=self.stdout, highlight=False)
        if not console.is_terminal:
            console.width = console.measure(table, options=console.options.update(width=WIDEST)).maximum
        console.print(table)


def _check(provider: Provider, first: datetime.date, last: datetime.date) -> None:
    if provider.dialect != Provider.Dialect.ANTHROPIC:
        raise InvalidRequest(
            f"--provider: only providers of the anthropic dialect have such a report; {provider.name} speaks "
            f"{provider.dialect}"
        )
    if last < first:
        raise InvalidRequest(f"--to: {last} is before {first}")
    with connection.cursor() as cursor:
        kept_from = partitions.horizon(cursor)
    if first < kept_from:
        raise InvalidRequest(f"--from: usage events from before {kept_from} were dropped for their age")


def _exit(status: int = 0, message: str | None = None) -> NoReturn:
    if message:
        sys.stderr.write(message)
    sys.exit(min(status, 1))
