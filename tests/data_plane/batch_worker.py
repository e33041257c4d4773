"""A worker that does nothing but batches: `python -m tests.data_plane.batch_worker`.

It runs Celery's task again and again without Celery, so that a test need not wait for a hint. Of what takes many
seconds in a gateway some takes less here.
"""

from __future__ import annotations

import os
import time

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
django.setup()

from gateway.batches import leasing, pace, runner, serving, tasks  # noqa: E402

if __name__ == "__main__":
    serving.TRY_AGAIN_SECONDS = (0.2, 0.4)
    runner.HELD_BACK_SECONDS = 1.0
    runner.HOLD_SECONDS, pace.LONGEST_PAUSE_SECONDS = 1.0, 4.0
    leasing.HELD_BYTES, leasing.LEASED_BYTES = 16 << 20, 2 << 20
    while True:
        tasks.run_batches()
        time.sleep(0.1)
