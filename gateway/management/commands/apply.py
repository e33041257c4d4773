"""`manage.py apply FILE`: make the installation as the file declares."""

from __future__ import annotations

import sys
from pathlib import Path

from django.core.management.base import CommandError, CommandParser

from admin_api.actor import SYSTEM
from gateway.declaration import reading
from gateway.declaration.apply import apply
from gateway.declaration.document import DeclarationError
from gateway.declaration.variables import variables
from gateway.management.operator_command import OperatorCommand


class Command(OperatorCommand):
    help = (
        "Sets up providers, models, tiers and organizations as a YAML file declares (such as "
        "examples/gateway.yaml) and prints each change. Applying a file twice changes nothing the second time. "
        "A file with an error changes nothing at all. Running processes follow within a second."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="the YAML file; - reads standard input")
        parser.add_argument(
            "--prune",
            action="store_true",
            help="also remove providers and models that the file does not name, and tiers that it does not "
            "name and no organization is on; organizations, the tiers basic, pro and enterprise, and the "
            "built-in simulator are never removed",
        )

    def handle(self, *, file: str, prune: bool, **options: object) -> None:
        try:
            declaration = reading.read(_text(file), variables())
            lines = apply(declaration, actor=SYSTEM, prune=prune)
        except DeclarationError as error:
            count = len(error.problems)
            heading = f"{file} has {count} error{'' if count == 1 else 's'}; nothing was changed."
            raise CommandError(
                "\n".join([heading, *(f"{file}:{problem}" for problem in error.problems)])
            ) from None
        for line in lines or ["nothing to change"]:
            self.stdout.write(line)


def _text(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as problem:
        raise CommandError(f"{file} cannot be read: {problem.strerror}") from None
    except UnicodeDecodeError:
        raise CommandError(f"{file} is not UTF-8 text") from None
