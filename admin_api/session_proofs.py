"""How somebody proved in this session who they are: by what is their own, or through an organization's provider.

Whoever runs an organization's provider can sign in as any of its people. So a session that knows only such a proof
opens that organization and nothing else: no other one, no operators' pages, and nothing that would outlast it, such as
a password or a passkey.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from allauth.account.internal.flows.login import get_authentication_records

from admin_api.queries.sso import opened_by
from gateway.models import User

THROUGH_PROVIDER = "socialaccount"  # allauth's name for it


@dataclass(frozen=True)
class Proofs:
    """The connections that were come through, each with its version then, and whether there was nothing else."""

    connections: frozenset[tuple[str, int]] = frozenset()
    only_sso: bool = False

    @property
    def among(self) -> Collection[UUID] | None:
        """The organizations that may be seen; None for all that one is a member of."""
        return opened_by(self.connections) if self.only_sso else None


def proofs_of(request: Any, user: User) -> Proofs:
    """From the session; no query."""
    records = get_authentication_records(request, user)
    through = frozenset(
        (str(one.get("provider")), int(one.get("version", 0)))
        for one in records
        if one["method"] == THROUGH_PROVIDER
    )
    own = any(one["method"] != THROUGH_PROVIDER for one in records)
    return Proofs(through, bool(through) and not own)
