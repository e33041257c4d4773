"""What beat asks for, a worker knows."""

from __future__ import annotations

from celery.schedules import maybe_schedule

from gateway.celery import app


def test_a_worker_knows_every_task_that_beat_asks_for() -> None:
    app.loader.import_default_modules()

    asked = {entry["task"] for entry in app.conf.beat_schedule.values()}
    assert {"admin_api.tasks.tell_alerts", "admin_api.tasks.deliver_webhooks"} < asked
    assert asked <= set(app.tasks)


def test_what_is_asked_for_often_does_not_pile_up_while_no_worker_is_there() -> None:
    often = [entry for entry in app.conf.beat_schedule.values() if entry["schedule"] < 60]

    assert len(often) == 7
    for entry in often:
        assert maybe_schedule(entry["schedule"]).run_every.seconds == entry["options"]["expires"]
