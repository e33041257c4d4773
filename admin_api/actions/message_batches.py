"""What people do to message batches; keys do it at the data plane."""

from __future__ import annotations

import datetime
from collections.abc import Collection, Iterable
from typing import LiteralString

from django.db import connection, transaction
from django.utils import timezone

from admin_api import audit
from admin_api.actor import Actor
from admin_api.queries.batch_items import numbers_of
from admin_api.queries.batch_owners import queues_of
from gateway.batches.room import OWNER, QUEUE, QUEUED, check_owner, check_queues
from gateway.errors import AuthenticationFailed, InvalidRequest, NotFound, PermissionDenied
from gateway.models import ApiKey, MessageBatch, Workspace
from gateway.protocol.anthropic.batch_body import Item

VERSION = "2023-06-01"
LIFE = datetime.timedelta(hours=24)
MOST_MODEL_NAMES = 100

_BOUNDS: LiteralString = "SET LOCAL lock_timeout = '20s'; SET LOCAL statement_timeout = '5min'"
_COPY: LiteralString = (
    "COPY message_batch_item (batch_id, number, custom_id, params) FROM STDIN (FORMAT BINARY)"
)
_AGAIN: LiteralString = """
INSERT INTO message_batch_item (batch_id, number, custom_id, params)
SELECT %(new)s, row_number() OVER (ORDER BY number) - 1, custom_id, params
  FROM message_batch_item WHERE batch_id = %(old)s AND state = ANY(%(states)s)
"""


@transaction.atomic
def create(*, actor: Actor, workspace: Workspace, api_key: ApiKey, items: Iterable[Item]) -> MessageBatch:
    """A batch of the key in the workspace, all of it or nothing; workers are to be told of it after the commit.

    Raises `InvalidRequest` without any item, and what `items` raise; `RateLimited` where too much waits already, and
    `PermissionDenied` for a key, a workspace or an organization that may not send any more.
    """
    batch = _new(actor, workspace, api_key)
    batch.total, batch.model_names = _copy(batch, items)
    _store(actor, batch, workspace, api_key, {})
    return batch


@transaction.atomic
def resubmit(
    *, actor: Actor, batch: MessageBatch, workspace: Workspace, api_key: ApiKey, states: Collection[str]
) -> MessageBatch:
    """The items of a batch that ended in one of these states, as they were, in a batch of their own.

    Raises as `create` does, `InvalidRequest` where the batch has not ended or has no such item (any more).
    """
    held = MessageBatch.objects.select_for_update(of=("self",), no_key=True).get(pk=batch.pk)
    if held.status != MessageBatch.Status.ENDED:
        raise InvalidRequest(f"{held.id}: has not ended yet")
    new = _new(actor, workspace, api_key)
    new.version, new.relayed, new.query = held.version, held.relayed, held.query
    new.model_names = held.model_names
    with connection.cursor() as cursor:
        cursor.execute(_BOUNDS)
        cursor.execute(_AGAIN, {"new": new.id, "old": held.id, "states": numbers_of(states)})
        new.total = cursor.rowcount
    _store(actor, new, workspace, api_key, {"again": held.id, "states": sorted(states)})
    return new


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


def _new(actor: Actor, workspace: Workspace, api_key: ApiKey) -> MessageBatch:
    elsewhere = api_key.workspace_id not in (None, workspace.id)
    if api_key.organization_id != workspace.organization_id or elsewhere or api_key.kind == ApiKey.Kind.ADMIN:
        raise InvalidRequest("key: sends nothing in this workspace")
    if api_key.current_status != ApiKey.Status.ACTIVE:
        raise PermissionDenied("This key may not be used any more.")
    now = timezone.now()
    return MessageBatch(
        organization=workspace.organization,
        workspace=workspace,
        api_key_id=api_key.id,
        request_id=actor.request_id,
        version=VERSION,
        relayed=[["anthropic-version", VERSION]],
        user_agent=actor.user_agent[:200],
        created_at=now,
        expires_at=now + LIFE,
    )


def _copy(batch: MessageBatch, items: Iterable[Item]) -> tuple[int, list[str]]:
    """How many items, and the models that they ask for."""
    total, names = 0, dict[str, None]()
    with connection.cursor() as cursor:
        cursor.execute(_BOUNDS)
        with cursor.copy(_COPY) as copy:
            copy.set_types(["varchar", "int4", "varchar", "bytea"])
            for item in items:
                copy.write_row((batch.id, item.number, item.custom_id, bytes(item.params)))
                total, names[item.model] = total + 1, None
    return total, list(names)[:MOST_MODEL_NAMES]


def _store(
    actor: Actor, batch: MessageBatch, workspace: Workspace, api_key: ApiKey, details: dict[str, object]
) -> None:
    """As the data plane does: the items stand there already, and from here on others of the organization wait."""
    if not batch.total:
        raise InvalidRequest("There is nothing to send.")
    with connection.cursor() as cursor:
        cursor.execute(QUEUE, [str(batch.organization_id)])
    _check_room(batch, workspace, api_key)
    batch.save(force_insert=True)
    audit.record(
        actor=actor,
        action="message_batch.created",
        target_type="message_batch",
        target_id=batch.id,
        organization_id=batch.organization_id,
        details={
            "requests": batch.total,
            "workspace_id": batch.workspace_id,
            "api_key_id": batch.api_key_id,
            **details,
        },
    )


def _check_room(batch: MessageBatch, workspace: Workspace, api_key: ApiKey) -> None:
    with connection.cursor() as cursor:
        cursor.execute(OWNER, [workspace.id, api_key.id])
        row = cursor.fetchone()
        owner = (
            None if row is None else dict(zip(("status", "archived_at", "suspended_at"), row, strict=True))
        )
        try:
            check_owner(owner)
        except AuthenticationFailed:
            raise PermissionDenied("This key may not be used any more.") from None
        cursor.execute(QUEUED, [workspace.id, api_key.id, str(batch.organization_id)])
        queued = dict(zip(("organization", "workspace", "api_key"), cursor.fetchone(), strict=True))
    check_queues(queued, queues_of(workspace, api_key), batch.total)
