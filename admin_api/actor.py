"""Who acts: the subject of every audit line."""

from __future__ import annotations

import dataclasses
from typing import Literal

from gateway.models import ApiKey, User


@dataclasses.dataclass(frozen=True)
class Actor:
    """A signed-in user, an Admin key, or the command line (`system`), with where the request came from."""

    type: Literal["user", "api_key", "system"]
    id: str = ""
    ip_address: str | None = None
    request_id: str = ""

    @classmethod
    def user(cls, user: User, *, ip_address: str | None = None, request_id: str = "") -> Actor:
        return cls("user", user.id, ip_address, request_id)

    @classmethod
    def api_key(cls, key: ApiKey, *, ip_address: str | None = None, request_id: str = "") -> Actor:
        return cls("api_key", key.id, ip_address, request_id)


SYSTEM = Actor("system")
