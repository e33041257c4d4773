"""`manage.py list_operator_keys`: the keys for `/platform/v1`, one a line, never a secret."""

from __future__ import annotations

from django.utils import timezone

from gateway.management.operator_command import OperatorCommand
from gateway.models import OperatorKey


class Command(OperatorCommand):
    help = "Lists the operator keys, the newest first: id, status, hint, name."

    def handle(self, **options: object) -> None:
        for key in OperatorKey.objects.order_by("-created_at", "-id"):
            self.stdout.write(f"{key.id}  {key.status_at(timezone.now()):7}  {key.hint}  {key.name}")
