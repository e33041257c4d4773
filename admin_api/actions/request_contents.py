"""What a request asked and was answered: who reads it is written down."""

from __future__ import annotations

import dataclasses
import datetime

from cryptography.fernet import InvalidToken
from django.db import transaction
from django.utils import timezone

from admin_api import audit
from admin_api.actor import Actor
from admin_api.vault import vault
from gateway.contents.headers import Both, decode
from gateway.contents.sealed import unseal
from gateway.errors import NotFound
from gateway.models import Organization, RequestContent


@dataclasses.dataclass(frozen=True)
class Content:
    """As the client sent it and as it was answered; `streamed` answers are events. `cut`: not to the end.

    `headers` are those of both, without secrets; None where they were not kept.
    """

    headers: Both | None
    request: bytes
    response: bytes
    endpoint: str
    status: int
    streamed: bool
    cut: bool
    expires_at: datetime.datetime


@transaction.atomic
def read(*, actor: Actor, organization: Organization, request_id: str) -> Content:
    """Raises `NotFound` where nothing was kept, or not any longer, or no key opens it."""
    rows = RequestContent.objects.filter(organization_id=organization.id, expires_at__gt=timezone.now())
    row = None if "\x00" in request_id else rows.filter(request_id=request_id).first()
    if row is None:
        raise NotFound("The content of this request is not kept.")
    opened = vault()
    try:
        headers = None if row.headers is None else decode(unseal(opened, row.headers))
        request, response = unseal(opened, row.request), unseal(opened, row.response)
    except InvalidToken:
        raise NotFound("The content of this request is encrypted with a key that is gone.") from None
    audit.record(
        actor=actor,
        action="request_content.read",
        target_type="request",
        target_id=row.request_id,
        organization_id=organization.id,
        details={"workspace_id": row.workspace_id},
    )
    return Content(
        headers, request, response, row.endpoint, row.status, row.streamed, row.cut, row.expires_at
    )
