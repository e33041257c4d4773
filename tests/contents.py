"""What is kept of a request, as the data plane keeps it."""

from __future__ import annotations

import datetime
import uuid

from django.utils import timezone

from admin_api.vault import vault
from gateway.contents.headers import encode
from gateway.contents.sealed import seal
from gateway.models import RequestContent, Workspace

DAY = datetime.timedelta(days=1)
SEALED = ("headers", "request", "response")


def kept(
    workspace: Workspace, *, age: datetime.timedelta = DAY, days: int = 10, **changed: object
) -> RequestContent:
    at = timezone.now() - age
    told: dict[str, object] = {
        "organization_id": workspace.organization_id,
        "request_id": f"req_{uuid.uuid4().hex}",
        "workspace_id": workspace.id,
        "api_key_id": "apikey_1",
        "at": at,
        "expires_at": at + days * DAY,
        "endpoint": "messages",
        "status": 200,
        "streamed": False,
        "headers": encode([(b"user-agent", b"curl/8")], [(b"request-id", b"req_1")]),
        "request": b"asked",
        "response": b"answered",
    } | changed
    sealed = {name: seal(vault(), bytes(told[name])) for name in SEALED}  # type: ignore[call-overload]
    return RequestContent.objects.create(**(told | sealed))
