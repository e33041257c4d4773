"""`manage.py drain`: the process that writes usage from the Valkey stream to Postgres."""

from __future__ import annotations

import os
import signal
from types import FrameType
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from gateway.metering.drain import Drain

# A store that hangs must not hold us: what is not acknowledged is delivered again.
SECONDS_TO_FINISH = 1.5


class Command(BaseCommand):
    help = "Write usage events from the Valkey stream to Postgres, until SIGTERM. Several may run."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        configuration = settings.CONFIGURATION
        drain = Drain(database_url=configuration.database_url, redis_url=configuration.redis_url)

        def stop(signum: int, frame: FrameType | None) -> None:
            drain.stop()
            signal.setitimer(signal.ITIMER_REAL, SECONDS_TO_FINISH)

        signal.signal(signal.SIGTERM, stop)
        signal.signal(signal.SIGINT, stop)
        signal.signal(signal.SIGALRM, lambda signum, frame: os._exit(0))
        drain.run()
        signal.setitimer(signal.ITIMER_REAL, 0)  # all is done: Python, as it ends, would die of the alarm
