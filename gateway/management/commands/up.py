"""`manage.py up` as `manage.py help` lists it; `manage.py` itself runs it, before Django's settings load."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from django.core.management.base import BaseCommand

from gateway.supervisor import up


class Command(BaseCommand):
    help = "Run the whole gateway, with embedded stores unless DATABASE_URL and REDIS_URL are set."
    requires_system_checks: Sequence[str] = ()

    def handle(self, *args: Any, **options: Any) -> None:
        sys.exit(up.main([]))
