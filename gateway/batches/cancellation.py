"""Batches that nobody may read any more are cancelled: their workspace is archived, or its last key revoked or expired.

One that was started in the browser without a key is read there, for as long as its starter may use the Playground.

Those of a suspended organization wait for it to be resumed.
"""

from __future__ import annotations

import uuid

from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from gateway import credentials
from gateway.models import ApiKey, MessageBatch


def cancel_unattended(organization_id: uuid.UUID | None = None) -> int:
    """Of one organization, or of all; how many. Runners stop sending within a second or two."""
    open_ones = MessageBatch.objects.filter(status=MessageBatch.Status.IN_PROGRESS)
    if organization_id is not None:
        open_ones = open_ones.filter(organization=organization_id)
    now = timezone.now()
    usable = ApiKey.objects.filter(
        Q(workspace=None) | Q(workspace=OuterRef("workspace")),
        Q(expires_at=None) | Q(expires_at__gt=now),
        organization=OuterRef("organization"),
        kind=credentials.API,
        status=ApiKey.Status.ACTIVE,
    )
    by_page = ApiKey.objects.filter(
        id=OuterRef("api_key_id"), kind=credentials.PLAYGROUND, status=ApiKey.Status.ACTIVE
    )
    unread = ~Exists(usable) & ~Exists(by_page)
    unattended = open_ones.filter(
        Q(workspace__archived_at__isnull=False) | unread, organization__suspended_at=None
    )
    ids = list(unattended.values_list("id", flat=True))
    return MessageBatch.objects.filter(pk__in=ids, status=MessageBatch.Status.IN_PROGRESS).update(
        status=MessageBatch.Status.CANCELING, cancel_initiated_at=now
    )
