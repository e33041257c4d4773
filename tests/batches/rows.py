"""Batches as rows of the tests' own database."""

from __future__ import annotations

import datetime
from typing import Any

from django.utils import timezone

from gateway.batches import lines
from gateway.models import ApiKey, BatchItem, MessageBatch, Organization, Workspace

DAY = datetime.timedelta(days=1)


def batch_of(
    organization: Organization,
    workspace: Workspace | None = None,
    *,
    items: int = 0,
    age: datetime.timedelta = datetime.timedelta(),
    **fields: Any,
) -> MessageBatch:
    """One of the default workspace, unless another is given, with so many items, each with a result."""
    created = timezone.now() - age
    batch = MessageBatch.objects.create(
        organization=organization,
        workspace=workspace or organization.workspaces.get(is_default=True),
        **{
            "api_key_id": ApiKey.objects.filter(organization=organization)
            .values_list("id", flat=True)
            .first()
            or "",
            "request_id": "req_01",
            "version": "2023-06-01",
            "total": items or 10,
            "created_at": created,
            "expires_at": created + DAY,
        }
        | fields,
    )
    BatchItem.objects.bulk_create(
        BatchItem(
            batch=batch, number=n, custom_id=f"item-{n}", params=b"{}", result=lines.canceled(f"item-{n}")
        )
        for n in range(items)
    )
    return batch
