"""`manage.py rollup`: are the sums those of the ledger? `--rebuild` makes them so."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator
from itertools import islice

from django.core.management.base import CommandError, CommandParser
from django.db import connection
from psycopg import Connection

from gateway.management.operator_command import OperatorCommand, counted, date
from gateway.metering import rebuild
from gateway.metering.summary import Difference, Span

SHOWN = 20  # differences of a day


class Command(OperatorCommand):
    help = (
        "Compares the sums that pages and reports read (by minute, hour, day and session) with the usage events they "
        "are made from, and prints what differs; the exit code is 1 if anything does. With --rebuild it corrects "
        "them instead, each day in a transaction of its own. Both may run while usage is written. Days whose events "
        "were dropped for their age keep their sums and are not looked at."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        what = parser.add_mutually_exclusive_group()
        what.add_argument("--check", action="store_true", help="compare, change nothing (default)")
        what.add_argument("--rebuild", action="store_true", help="correct what differs")
        parser.add_argument("--from", dest="first", type=date, metavar="DATE", help="the first UTC day")
        parser.add_argument("--to", dest="last", type=date, metavar="DATE", help="the last UTC day")
        parser.add_argument("--organization", type=uuid.UUID, metavar="ID", help="only this one's")

    def handle(
        self,
        *,
        rebuild: bool,
        first: datetime.date | None,
        last: datetime.date | None,
        organization: uuid.UUID | None,
        **options: object,
    ) -> None:
        with connection.wrap_database_errors:
            spans = list(_spans(first, last, organization))
            wrong = sum(self._rebuilt(span) if rebuild else self._compared(span) for span in spans)
        if rebuild:
            self.stdout.write(f"{counted(len(spans), 'day')} rebuilt, {counted(wrong, 'sum')} corrected.")
        elif wrong:
            verb = "differs" if wrong == 1 else "differ"
            raise CommandError(f"{counted(wrong, 'sum')} {verb} from the ledger; --rebuild corrects them")
        elif spans:
            self.stdout.write(f"{counted(len(spans), 'day')} compared: every sum is that of the ledger.")
        else:
            self.stdout.write("The ledger has no events of these days: nothing was compared.")

    def _rebuilt(self, span: Span) -> int:
        corrected = rebuild.rebuild(_connection(), span)
        if wrong := sum(corrected.values()):
            told = ", ".join(f"{count} of {table}" for table, count in corrected.items() if count)
            self.stdout.write(f"{span.day}: corrected {told}")
        return wrong

    def _compared(self, span: Span) -> int:
        found = rebuild.differences(_connection(), span)
        shown = list(islice(found, SHOWN))
        for difference in shown:
            self.stdout.write(_told(difference))
        more = sum(1 for _ in found)
        if more:
            self.stdout.write(f"{span.day}: and {more} more")
        return len(shown) + more


def _spans(
    first: datetime.date | None, last: datetime.date | None, organization: uuid.UUID | None
) -> Iterator[Span]:
    return (Span(day, organization) for day in rebuild.days(_connection(), first, last))


def _connection() -> Connection:
    """Django's own, as the driver has it."""
    connection.ensure_connection()
    held: Connection = connection.connection
    return held


def _told(difference: Difference) -> str:
    """`usage_hour 2026-01-31T10:00Z, organization_id=..., model=...: requests +2, cost +0.1`."""
    moment = difference.key.get("bucket") or difference.key["day"]
    key = ", ".join(
        f"{name}={value}" for name, value in difference.key.items() if name not in ("bucket", "day") and value
    )
    missing = ", ".join(f"{name} {value:+f}" for name, value in difference.missing.items())
    return f"{difference.table} {_moment(moment)}, {key}: {missing}"


def _moment(at: datetime.date) -> str:
    return f"{at.astimezone(datetime.UTC):%Y-%m-%dT%H:%MZ}" if isinstance(at, datetime.datetime) else f"{at}"
