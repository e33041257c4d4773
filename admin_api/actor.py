"""Who acts: the subject of every audit line."""

from __future__ import annotations

import dataclasses
from typing import Literal

from gateway.models import ApiKey, OperatorKey, User


@dataclasses.dataclass(frozen=True)
class Actor:
    """A signed-in user, an Admin key, an operator's key, or the command line (`system`); from where, and by what."""

    type: Literal["user", "api_key", "operator_key", "system"]
    id: str = ""
    ip_address: str | None = None
    request_id: str = ""
    user_agent: str = ""

    @classmethod
    def user(
        cls, user: User, *, ip_address: str | None = None, request_id: str = "", user_agent: str = ""
    ) -> Actor:
        return cls("user", user.id, ip_address, request_id, user_agent)

    @classmethod
    def api_key(
        cls, key: ApiKey, *, ip_address: str | None = None, request_id: str = "", user_agent: str = ""
    ) -> Actor:
        return cls("api_key", key.id, ip_address, request_id, user_agent)

    @classmethod
    def operator_key(
        cls, key: OperatorKey, *, ip_address: str | None = None, request_id: str = "", user_agent: str = ""
    ) -> Actor:
        return cls("operator_key", key.id, ip_address, request_id, user_agent)

    @property
    def user_id(self) -> str | None:
        """The id of the person who acts, None for keys and the command line: who made or changed a row."""
        return self.id if self.type == "user" else None


SYSTEM = Actor("system")
