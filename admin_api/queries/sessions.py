"""Where somebody is signed in."""

from __future__ import annotations

import hashlib

from django.db.models import QuerySet
from django.utils import timezone

from gateway.models import BrowserSession, User


def sessions_of(user: User) -> QuerySet[BrowserSession]:
    """Those that still open something, the one last used first."""
    alive = BrowserSession.objects.filter(user=user, expire_date__gt=timezone.now())
    found: QuerySet[BrowserSession] = alive.order_by("-seen_at", "session_key")
    return found


def name_of(key: str) -> str:
    """What a page calls a session, since its key is as good as a password."""
    return hashlib.sha256(key.encode()).hexdigest()[:24]
