"""`manage.py list_api_keys`: an organization's keys, one a line, never a secret."""

from __future__ import annotations

from django.core.management.base import CommandParser

from admin_api.queries import named
from gateway.management.operator_command import OperatorCommand
from gateway.models import ApiKey


class Command(OperatorCommand):
    help = "Lists the keys of an organization, the newest first: id, kind, status, hint, name."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", required=True, metavar="NAME")

    def handle(self, *, organization: str, **options: object) -> None:
        keys = named.organization(organization).api_keys.exclude(kind=ApiKey.Kind.PLAYGROUND)
        for key in keys.order_by("-created_at", "-id"):
            self.stdout.write(f"{key.id}  {key.kind:5}  {key.status:8}  {key.hint}  {key.name}")
