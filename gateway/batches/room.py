"""Whether there is room for another batch, and whether its owner may still send one: asked within the transaction that
stores it, by whoever takes it in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, LiteralString

from gateway.errors import AuthenticationFailed, PermissionDenied, RateLimited
from gateway.limiters import ENQUEUED
from gateway.scopes import Queue

RETRY_SECONDS = 60  # when there may be room again

_WHOSE = {"organization": "your organization's", "workspace": "your workspace's", "api_key": "your API key's"}

# In the queue of the organization, which from then on waits for this transaction.
QUEUE: LiteralString = "SELECT pg_advisory_xact_lock(hashtextextended('message batches of ' || %s::text, 0))"
# Nobody may suspend, archive or revoke in between, and whoever does it afterwards finds the batch.
OWNER: LiteralString = """
SELECT k.status, w.archived_at, o.suspended_at
  FROM gateway_apikey k
  JOIN gateway_organization o ON o.id = k.organization_id
  JOIN gateway_workspace w ON w.organization_id = o.id AND w.id = %s
 WHERE k.id = %s
   FOR SHARE OF k, w, o
"""
QUEUED: LiteralString = """
SELECT coalesce(sum(left_of_it), 0)::bigint AS organization,
       coalesce(sum(left_of_it) FILTER (WHERE workspace_id = %s), 0)::bigint AS workspace,
       coalesce(sum(left_of_it) FILTER (WHERE api_key_id = %s), 0)::bigint AS api_key
  FROM (SELECT workspace_id, api_key_id, total - succeeded - errored - canceled - expired AS left_of_it
          FROM message_batch WHERE organization_id = %s AND status <> 'ended') AS queued
"""


def check_owner(owner: Mapping[str, Any] | None) -> None:
    """The row that `OWNER` found. Raises `AuthenticationFailed` or `PermissionDenied`."""
    if owner is None or owner["status"] != "active":
        raise AuthenticationFailed("invalid x-api-key")
    if owner["suspended_at"] is not None:
        raise PermissionDenied("This organization has been suspended.")
    if owner["archived_at"] is not None:
        raise PermissionDenied("This workspace has been archived.")


def check_queues(queued: Mapping[str, int], queues: Iterable[Queue], total: int) -> None:
    """The row that `QUEUED` found, and what is allowed of it. Raises `RateLimited`."""
    for queue in queues:
        if queued[queue.kind] + total > queue.most:
            raise _refusal(queue, total)


def _refusal(queue: Queue, total: int) -> RateLimited:
    told = f"{_WHOSE[queue.kind]} rate limit of {queue.most:,} batch requests in the queue ({ENQUEUED})"
    if total > queue.most:
        message = f"This batch alone has {total:,} requests, more than {told} ever allows."
        return RateLimited(message, headers={"x-should-retry": "false"})
    return RateLimited(
        f"This batch would exceed {told}. Please try again later.",
        headers={"retry-after": str(RETRY_SECONDS)},
    )
