"""What people do to message batches; keys do it at the data plane."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from admin_api import audit
from admin_api.actor import Actor
from gateway.errors import InvalidRequest, NotFound
from gateway.models import MessageBatch


@transaction.atomic
def cancel(*, actor: Actor, batch: MessageBatch) -> MessageBatch:
    """Nothing more of it is sent within seconds; what is under way is finished and kept. Again changes nothing.

    Raises `InvalidRequest` for one that has ended.
    """
    held = MessageBatch.objects.select_for_update(of=("self",)).filter(pk=batch.pk).first()
    if held is None:
        raise NotFound("Message batch not found.")
    if held.status == MessageBatch.Status.ENDED:
        raise InvalidRequest(f"{held.id}: a batch that has ended cannot be canceled")
    if held.status == MessageBatch.Status.CANCELING:
        return held
    held.status = MessageBatch.Status.CANCELING
    held.cancel_initiated_at = timezone.now()
    held.save(update_fields=["status", "cancel_initiated_at"])
    audit.record(
        actor=actor,
        action="message_batch.canceled",
        target_type="message_batch",
        target_id=held.id,
        organization_id=held.organization_id,
        details={"requests": held.total, "unfinished": held.total - held.done},
    )
    return held
