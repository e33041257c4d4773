"""`manage.py import_prices`: hold prices against what providers publish, and take them over once they are reviewed."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib.metadata import version

from django.core.management.base import CommandParser
from django.db import transaction
from django.utils import timezone

from admin_api.actor import SYSTEM
from admin_api.changes import shown
from gateway.management.operator_command import OperatorCommand, counted
from gateway.price_list.fragment import fragment
from gateway.price_list.proposals import Proposal, proposals
from gateway.price_list.takeover import take_over

DIFFERENT = 2
HEADINGS = ("MODEL", "PRICE", "NOW", "PUBLISHED")


class Command(OperatorCommand):
    help = (
        "Compares the prices of models with those that the installed package genai-prices lists for their providers, "
        "without asking any network. Prints the differences and changes nothing, unless --apply is given. Exit code: 0 "
        "nothing to change (or all of it applied), 2 there are differences, 1 an error."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--model", metavar="NAME", action="append", default=[], help="only this model; may be repeated"
        )
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--apply", action="store_true", help="make them the prices from now on")
        how.add_argument(
            "--yaml",
            action="store_true",
            help="print what differs as a part of the file of `manage.py apply`",
        )

    def handle(self, *, model: list[str], apply: bool, yaml: bool, **options: object) -> None:
        with transaction.atomic():
            found = take_over(actor=SYSTEM, names=model) if apply else proposals(timezone.now(), model)
        different = [one for one in found if one.changes]
        if yaml:
            self._print(fragment({one.model.name: one.price for one in different if one.price}).rstrip())
        else:
            self._tell(found)
        if apply and different:
            self._print(f"{counted(len(different), 'price')} changed; they cost this from now on")
        elif different:
            sys.exit(DIFFERENT)

    def _tell(self, found: Sequence[Proposal]) -> None:
        source = f"genai-prices {version('genai-prices')}"
        rows = [row for one in found for row in _rows(one)]
        self._print("\n".join(_table([HEADINGS, *rows])) if rows else f"nothing to change by {source}")
        for one in found:
            if one.price is None:
                self._print(f"no price in {source}: {one.model.name} ({one.note})")
            elif one.note:
                self._print(f"note: {one.model.name} by {one.place}; {one.note}")

    def _print(self, text: str) -> None:
        self.stdout.write(text)


def _rows(one: Proposal) -> list[tuple[str, ...]]:
    return [
        (one.model.name, change.field, shown(change.old), shown(change.new))
        for change in one.changes
        if change.old is not None or change.new is not None
    ]


def _table(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows
    ]
