"""`manage.py bootstrap`: run at every start after `migrate`; sets up a new installation once."""

from __future__ import annotations

from django.core.management.base import BaseCommand

from gateway import first_run


class Command(BaseCommand):
    help = (
        "On a database without organizations: makes the organization Default, an administrator, an API key "
        "and an Admin key, and writes them to DATA_DIR/quickstart.env. Later it only keeps the addresses right."
    )

    def handle(self, **options: object) -> None:
        for line in first_run.prepare().lines:
            self.stdout.write(line)
