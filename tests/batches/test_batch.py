"""The batch object as it is told, in the words of the official SDK."""

from __future__ import annotations

import datetime

from anthropic.types.messages import MessageBatch

from gateway.batches.batch import batch_of

NOON = datetime.datetime(2026, 11, 3, 12, tzinfo=datetime.UTC)
DAY = datetime.timedelta(days=1)


def row(**columns: object) -> dict[str, object]:
    counts = {"total": 7, "succeeded": 3, "errored": 1, "canceled": 2, "expired": 1}
    times = {"created_at": NOON, "expires_at": NOON + DAY, "ended_at": None, "cancel_initiated_at": None}
    return {"id": "msgbatch_01a", "status": "in_progress", "archived_at": None, **counts, **times, **columns}


def told(**columns: object) -> MessageBatch:
    return MessageBatch.model_validate_json(batch_of(row(**columns), "https://gw.example/x").wire())


def test_until_it_has_ended_all_is_processing_and_there_are_no_results() -> None:
    batch = told()

    assert batch.request_counts.to_dict() == {
        "processing": 7,
        "succeeded": 0,
        "errored": 0,
        "canceled": 0,
        "expired": 0,
    }
    assert (batch.processing_status, batch.type, batch.results_url, batch.ended_at) == (
        "in_progress",
        "message_batch",
        None,
        None,
    )
    assert (batch.created_at, batch.expires_at) == (NOON, NOON + DAY)


def test_one_that_is_being_cancelled_tells_no_counts_either() -> None:
    batch = told(status="canceling", cancel_initiated_at=NOON)

    assert batch.request_counts.processing == 7
    assert (batch.cancel_initiated_at, batch.results_url) == (NOON, None)


def test_one_that_has_ended_tells_its_counts_and_where_its_results_are() -> None:
    batch = told(status="ended", ended_at=NOON)

    assert batch.request_counts.to_dict() == {
        "processing": 0,
        "succeeded": 3,
        "errored": 1,
        "canceled": 2,
        "expired": 1,
    }
    assert batch.results_url == "https://gw.example/x/v1/messages/batches/msgbatch_01a/results"


def test_times_are_rfc_3339_in_utc() -> None:
    berlin = datetime.timezone(datetime.timedelta(hours=1))

    assert (
        b'"created_at":"2026-11-03T12:00:00.000005Z"'
        in batch_of(row(created_at=NOON.replace(microsecond=5).astimezone(berlin)), "").wire()
    )
