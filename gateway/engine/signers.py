"""Who signed a thought: a provider refuses thinking that another one signed, so it must not be shown it.

Kept for a day, by a hash of each signature, and only where the catalog has several providers that sign; nobody
else pays for it. What is not known is left as it came.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Collection
from urllib.parse import urlsplit

from gateway.directory.catalog import Target
from gateway.engine.call import Call
from gateway.protocol.anthropic.thinking import signatures
from gateway.valkey import Valkey, ValkeyUnavailable

KEPT_MS = 86_400_000
OFFICIAL = "api.anthropic.com"


class Signers:
    """`learn` from each answer, ask `foreign` before a request."""

    def __init__(self, valkey: Valkey) -> None:
        self._valkey = valkey

    def learn(self, call: Call, target: Target, signed: Collection[str]) -> None:
        signer = signer_of(target)
        for signature in signed:
            self._valkey.command("SET", _key(call, signature), signer, "PX", KEPT_MS).add_done_callback(
                _ignore
            )

    async def foreign(self, call: Call, target: Target) -> frozenset[str]:
        """The signatures in the request that are known to be another's."""
        signed = sorted(signatures(call.body.raw))
        if not signed:
            return frozenset()
        own = signer_of(target).encode()
        try:
            known = await self._valkey.command("MGET", *(_key(call, signature) for signature in signed))
        except ValkeyUnavailable:
            return frozenset()
        return frozenset(
            signature for signature, signer in zip(signed, known, strict=True) if signer not in (None, own)
        )


def signer_of(target: Target) -> str:
    """Accounts and keys of one vendor read each other's signatures; another address does not."""
    if target.preset:
        return target.preset
    return "anthropic" if urlsplit(target.base_url).hostname == OFFICIAL else target.base_url


def _key(call: Call, signature: str) -> str:
    digest = hashlib.sha256(signature.encode()).hexdigest()
    return f"gw:{{{call.principal.organization_id}}}:signed:{digest}"


def _ignore(future: asyncio.Future[object]) -> None:
    """While Valkey is away nothing is learned."""
    if not future.cancelled():
        future.exception()
