"""`manage.py prepare`: what must be done before the web starts, in one process because each costs a second."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError

from gateway import broker
from gateway.configuration import ConfigurationError
from gateway.gate import wait_at_gate


class Command(BaseCommand):
    help = (
        "Bring the database up to date (migrate), then set up a new installation (bootstrap). Safe to repeat."
    )
    requires_system_checks: Sequence[str] = ()

    def handle(self, *args: object, **options: object) -> None:
        wait_at_gate()
        try:
            broker.check(settings.CONFIGURATION)
        except ConfigurationError as problem:
            raise CommandError(str(problem)) from problem
        call_command("migrate", interactive=False, verbosity=1, stdout=self.stdout, skip_checks=True)
        call_command("bootstrap", stdout=self.stdout)
