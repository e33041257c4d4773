"""The Celery application: `celery -A gateway worker` and `celery -A gateway beat`."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery
from celery.signals import beat_init, celeryd_init
from django.conf import settings

from gateway import broker
from gateway.configuration import ConfigurationError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")


def _often(task: str, seconds: int) -> dict[str, object]:
    """One that nobody got to in its time is left out: the next one does the same."""
    return {"task": task, "schedule": seconds, "options": {"expires": seconds}}


app = Celery("gateway")
app.conf.update(
    broker_url=settings.CELERY_BROKER_URL,
    broker_connection_retry_on_startup=True,
    task_acks_late=True,
    task_reject_on_worker_lost=True,
    task_ignore_result=True,
    worker_prefetch_multiplier=1,
    worker_soft_shutdown_timeout=5,
    worker_hijack_root_logger=False,
    broker_transport_options={"visibility_timeout": 300},
    timezone="UTC",
    beat_schedule={
        "make-partitions": {"task": "gateway.metering.tasks.make_partitions", "schedule": 600},
        "run-batches": _often("gateway.batches.tasks.run_batches", 10),
        "run-native-batches": _often("gateway.batches.tasks.run_native_batches", 10),
        "run-provider-checks": _often("gateway.provider_check.tasks.run_checks", 10),
        "cancel-unattended": _often("gateway.batches.tasks.cancel_unattended", 30),
        "forget-batches": _often("gateway.batches.tasks.forget_batches", 600),
        "forget-contents": _often("gateway.contents.tasks.forget_contents", 600),
        "tell-alerts": _often("admin_api.tasks.tell_alerts", 30),
        "deliver-mail": _often("admin_api.tasks.deliver_mail", 10),
        "deliver-webhooks": _often("admin_api.tasks.deliver_webhooks", 10),
        "forget-told": {"task": "admin_api.tasks.forget_told", "schedule": 3600},
        "drop-partitions": {"task": "gateway.metering.tasks.drop_partitions", "schedule": 600},
    },
)
app.autodiscover_tasks(
    ["gateway.metering", "gateway.batches", "gateway.contents", "gateway.provider_check", "admin_api"]
)


@celeryd_init.connect
@beat_init.connect
def refuse_a_cluster(**_: Any) -> None:
    """A worker that hears nothing looks as if it had nothing to do."""
    try:
        broker.check(settings.CONFIGURATION)
    except ConfigurationError as problem:
        raise SystemExit(str(problem)) from problem
