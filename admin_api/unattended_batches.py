"""Message batches end with the last key that could read them."""

from __future__ import annotations

import uuid

from gateway.batches.cancellation import cancel_unattended


def canceled_batches(organization_id: uuid.UUID) -> dict[str, int]:
    """Cancel what nobody of the organization may read any more; for the audit line, nothing where nothing was."""
    canceled = cancel_unattended(organization_id)
    return {"canceled_batches": canceled} if canceled else {}
