"""Commands that people type: what goes wrong is one clear line and exit code 1, never a traceback."""

from __future__ import annotations

import datetime
from collections.abc import Sequence

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError, ProgrammingError
from psycopg.errors import LockNotAvailable, UndefinedTable

from gateway.errors import GatewayError


def date(word: str) -> datetime.date:
    """`2026-01-31`, as argparse wants it: it tells of a word that is none by this function's name."""
    return datetime.date.fromisoformat(word)


def counted(count: int, noun: str) -> str:
    """`1 day`, `2 days`."""
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


class OperatorCommand(BaseCommand):
    requires_system_checks: Sequence[str] = ()  # they look at the pages, and cost half of a command's time

    def execute(self, *args: object, **options: object) -> str | None:
        try:
            return super().execute(*args, **options)
        except GatewayError as refused:
            raise CommandError(refused.message) from None
        except OperationalError as problem:
            raise CommandError(_told(problem)) from problem
        except ProgrammingError as problem:
            if isinstance(problem.__cause__, UndefinedTable):
                raise CommandError(
                    "the database has no tables yet: run `manage.py migrate` first"
                ) from problem
            raise


def _told(problem: OperationalError) -> str:
    if isinstance(problem.__cause__, LockNotAvailable):
        return "somebody else is changing the same rows; nothing was changed, try again"
    reason = (
        str(problem).strip().splitlines()[0] if str(problem).strip() else type(problem.__cause__).__name__
    )
    return f"the database does not answer ({reason}); is the gateway running? DATA_DIR or DATABASE_URL tell where"
