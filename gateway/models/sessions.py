"""Browser sessions. The cookie holds a random key and nothing else; all that is known of a session is its row.

This module is `SESSION_ENGINE`: a session ends after `IDLE` without a page, and `TOTAL` after its sign-in however
busy it was. Its row is what ends it, so that a cookie that was kept opens nothing.
"""

from __future__ import annotations

import datetime
import time
from collections.abc import Mapping
from typing import Any

from django.contrib.auth import SESSION_KEY as USER_ID
from django.contrib.sessions.backends.db import SessionStore as DatabaseStore
from django.contrib.sessions.base_session import AbstractBaseSession, BaseSessionManager
from django.db import models
from django.utils import timezone

from gateway.models.users import User

IDLE = 12 * 3600  # seconds
TOTAL = 7 * 24 * 3600
SIGNED_IN = "signed_in"  # in a session's data: {"at": seconds since 1970, "ip": ..., "agent": ...}
LONGEST_AGENT = 300


class BrowserSession(AbstractBaseSession):
    """A session, and of one that somebody signed in to: who, since when, from where; `seen_at` is minutes exact."""

    user = models.ForeignKey(User, on_delete=models.CASCADE, null=True, related_name="sessions")
    signed_in_at = models.DateTimeField(null=True)
    seen_at = models.DateTimeField(default=timezone.now)
    ip_address = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=LONGEST_AGENT, blank=True)

    objects = BaseSessionManager()

    class Meta(AbstractBaseSession.Meta):
        db_table = "browser_session"

    @classmethod
    def get_session_store_class(cls) -> type[SessionStore]:
        return SessionStore


class SessionStore(DatabaseStore):
    @classmethod
    def get_model_class(cls) -> type[BrowserSession]:
        return BrowserSession

    def create_model_instance(self, data: Mapping[str, Any]) -> BrowserSession:
        sign_in = data.get(SIGNED_IN) or {}
        at = sign_in.get("at")
        return BrowserSession(
            session_key=self._get_or_create_session_key(),
            session_data=self.encode(data),
            expire_date=self.get_expiry_date(),
            user_id=data.get(USER_ID),
            signed_in_at=datetime.datetime.fromtimestamp(at, datetime.UTC) if at else None,
            seen_at=timezone.now(),
            ip_address=sign_in.get("ip"),
            user_agent=sign_in.get("agent", ""),
        )

    def get_expiry_age(self, **_: object) -> int:
        """Seconds from now, of the row and of the cookie; what libraries ask for beside is not heard."""
        sign_in = self.get(SIGNED_IN)
        left = sign_in["at"] + TOTAL - time.time() if sign_in else TOTAL
        return max(0, int(min(IDLE, left)))

    def get_expiry_date(self, **_: object) -> datetime.datetime:
        return timezone.now() + datetime.timedelta(seconds=self.get_expiry_age())
