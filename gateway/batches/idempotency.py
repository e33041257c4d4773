"""`Idempotency-Key`: who repeats a call that was made gets its answer again, and nothing is done twice.

A key belongs to an organization's workspace and one route. The answer is kept as the bytes that were sent.
"""

from __future__ import annotations

from typing import LiteralString

import msgspec

from gateway.batches.store import Connection
from gateway.errors import InvalidRequest

LONGEST_KEY = 255

# Whoever comes second waits here until the first one has committed, and then takes nothing.
_CLAIM: LiteralString = """
INSERT INTO idempotency_key (organization_id, workspace_id, route, key, body_digest, answer, created_at)
VALUES (%s, %s, %s, %s, %s, %s, now())
ON CONFLICT (organization_id, workspace_id, route, key) DO NOTHING
RETURNING id
"""
_FIND: LiteralString = """
SELECT body_digest, answer FROM idempotency_key
 WHERE organization_id = %s AND workspace_id = %s AND route = %s AND key = %s
"""


class IdempotentCall(msgspec.Struct, frozen=True):
    """`digest` is the SHA-256 of the body, as it came."""

    organization_id: str
    workspace_id: str
    route: str
    key: str
    digest: bytes


def key_of(header: bytes | None) -> str | None:
    """The key, if one was sent. Raises `InvalidRequest`."""
    if header is None:
        return None
    key = header.decode("latin-1").strip()
    if not 1 <= len(key) <= LONGEST_KEY or not key.isascii() or not key.isprintable():
        raise InvalidRequest(f"idempotency-key: must have 1 to {LONGEST_KEY} printable ASCII characters")
    return key


async def earlier_answer(connection: Connection, call: IdempotentCall, answer: bytes) -> bytes | None:
    """What the same call was answered before; None for the first, which is answered `answer` from then on.

    Within the transaction that does what the call wants. Raises `InvalidRequest` for another body: 409 would say that
    it may be tried again, which SDKs then do.
    """
    names = (call.organization_id, call.workspace_id, call.route, call.key)
    claim = await connection.execute(_CLAIM, (*names, call.digest, answer))
    if await claim.fetchone():
        return None
    found = await (await connection.execute(_FIND, names)).fetchone()
    if found is None or bytes(found["body_digest"]) != call.digest:
        raise InvalidRequest("idempotency-key: was used before with another body")
    return bytes(found["answer"])
