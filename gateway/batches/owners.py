"""Who the batches of a runner belong to, read again and again: limits and models change while they run."""

from __future__ import annotations

import time

from gateway.batches.item_call import Owner
from gateway.batches.store import Row
from gateway.directory.directory import Directory

SUSPENDED = "suspended"
REREAD_SECONDS = 10.0


class Owners:
    def __init__(self, directory: Directory) -> None:
        self._directory = directory
        self._known: dict[tuple[str, str], tuple[float, Owner | None]] = {}

    async def of(self, batch: Row) -> Owner | None:
        """Whose batch it is, also where the key was revoked meanwhile; None where nobody may use it for now: key or
        workspace are gone, or the organization is suspended.

        Raises `StoreUnavailable` where nothing is known and Postgres is away.
        """
        key = batch["api_key_id"], batch["workspace_id"]
        read_at, owner = self._known.get(key, (0.0, None))
        if time.monotonic() - read_at > REREAD_SECONDS:
            owner = await self._read(*key)
            self._known[key] = time.monotonic(), owner
        return owner

    async def _read(self, key_id: str, workspace_id: str) -> Owner | None:
        principal = await self._directory.store.principal_of(key_id)
        if principal is None or principal.refusal == SUSPENDED:
            return None
        for workspace in principal.workspaces:
            if workspace.id == workspace_id:
                return Owner(principal, workspace)
        return None
