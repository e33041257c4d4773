"""Who signed a thought: a provider refuses thinking that another one signed, so it must not be shown it.

Kept for a day, by a hash of each signature, and only where the catalog has several providers that sign; nobody
else pays for it. What is not known is left as it came.
"""

from __future__ import annotations

import asyncio
import hashlib
import uuid
from collections.abc import Collection

from gateway.directory.catalog import Target
from gateway.protocol.anthropic.thinking import signatures
from gateway.valkey import Valkey, ValkeyUnavailable

KEPT_MS = 86_400_000


class Signers:
    """`learn` from each answer, ask `foreign` before a request."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    def learn(self, organization: uuid.UUID, target: Target, signed: Collection[str]) -> None:
        for signature in signed:
            key = _key(organization, signature)
            self._valkey.command("SET", key, target.signer, "PX", KEPT_MS).add_done_callback(_ignore)

    async def foreign(self, organization: uuid.UUID, target: Target, body: bytes) -> frozenset[str]:
        """The signatures in a request for `target` that are known to be another's."""
        signed = sorted(signatures(body))
        if not signed:
            return frozenset()
        own = target.signer.encode()
        try:
            known = await self._valkey.command(
                "MGET", *(_key(organization, signature) for signature in signed)
            )
        except ValkeyUnavailable:
            return frozenset()
        return frozenset(
            signature for signature, signer in zip(signed, known, strict=True) if signer not in (None, own)
        )


def _key(organization: uuid.UUID, signature: str) -> str:
    digest = hashlib.sha256(signature.encode()).hexdigest()
    return f"gw:{{{organization}}}:signed:{digest}"


def _ignore(future: asyncio.Future[object]) -> None:
    """While Valkey is away nothing is learned."""
    if not future.cancelled():
        future.exception()
