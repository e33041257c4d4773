"""`manage.py bootstrap`: run at every start after `migrate`; sets up a new installation once."""

from __future__ import annotations

from gateway import first_run
from gateway.management.operator_command import OperatorCommand


class Command(OperatorCommand):
    help = (
        "On a database without organizations: makes the organization Default, an administrator, an API key "
        "and an Admin key, and writes them to DATA_DIR/quickstart.env. Later it only keeps the addresses right."
    )

    def handle(self, **options: object) -> None:
        for line in first_run.prepare().lines:
            self.stdout.write(line)
