"""Workers that do nothing but batches: `python -m tests.data_plane.batch_worker`.

Each line of input, `{"log": ..., "settings": {...}}`, makes one, by a fork, for which all has been imported already;
its process id is the answer. It runs Celery's task again and again without Celery, so that a test need not wait for a
hint. Of what takes many seconds in a gateway most takes less here.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
django.setup()

from django.conf import settings  # noqa: E402

from gateway import configuration  # noqa: E402
from gateway.batches import filing, leasing, pace, runner, runners, serving, tasks  # noqa: E402


def hurry() -> None:
    serving.TRY_AGAIN_SECONDS = (0.2, 0.4)
    runner.LOOK_SECONDS, runner.HELD_BACK_SECONDS = 0.3, 1.0
    runner.HOLD_SECONDS, runner.REFUSED_SECONDS = 1.0, 4.0
    pace.LEAST_PAUSE_SECONDS, pace.LONGEST_PAUSE_SECONDS = 0.4, 1.6
    filing.AFTER_SECONDS, runners.SEEN_EVERY_SECONDS = 0.5, 0.5
    tasks.LINGER_SECONDS, tasks.LOOK_SECONDS = 0.5, 0.1
    leasing.HELD_BYTES, leasing.LEASED_BYTES = 16 << 20, 2 << 20


def work(wanted: dict[str, Any]) -> None:
    """Until it is killed."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    log = os.open(wanted["log"], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream, instead in ((0, os.open(os.devnull, os.O_RDONLY)), (1, log), (2, log)):
        os.dup2(instead, stream)
    os.environ.update(wanted["settings"])
    settings.CONFIGURATION = configuration.load()
    while True:
        tasks.run_batches()
        time.sleep(0.05)


if __name__ == "__main__":
    hurry()
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that are killed
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            work(json.loads(line))
        print(child, flush=True)
