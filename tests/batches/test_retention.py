"""What is forgotten of batches, and when."""

from __future__ import annotations

from django.utils import timezone

from gateway.batches.retention import archive_old, forget_calls
from gateway.models import BatchItem, IdempotencyKey
from tests.batches.rows import DAY, batch_of
from tests.people import Cast


def test_results_are_kept_for_29_days_and_the_batch_itself_stays(people: Cast) -> None:
    old = batch_of(people.acme, items=3, age=29 * DAY, status="ended")
    young = batch_of(people.acme, items=3, age=28.9 * DAY, status="ended")

    assert archive_old() == 1

    old.refresh_from_db()
    young.refresh_from_db()
    assert (old.archived_at is not None, young.archived_at) == (True, None)
    assert set(BatchItem.objects.values_list("batch_id", flat=True)) == {young.id}
    assert archive_old() == 0


def test_what_has_not_ended_is_kept_whatever_its_age(people: Cast) -> None:
    batch_of(people.acme, items=3, age=40 * DAY)

    assert archive_old() == 0
    assert BatchItem.objects.count() == 3


def test_idempotency_keys_are_kept_for_two_days(people: Cast) -> None:
    workspace = people.acme.workspaces.get(is_default=True)
    for days in (0, 1, 1.9, 2.1):
        IdempotencyKey.objects.create(
            organization=people.acme,
            workspace=workspace,
            route="POST /v1/messages/batches",
            key=str(days),
            body_digest=b"",
            answer=b"",
            created_at=timezone.now() - days * DAY,
        )

    assert forget_calls() == 1
    assert set(IdempotencyKey.objects.values_list("key", flat=True)) == {"0", "1", "1.9"}
