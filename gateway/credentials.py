"""Gateway keys: how they look, how they are made, checked and stored.

    sk-gw-api01-<43 characters: 256 random bits, base64url><6 characters: checksum>
    sk-gw-admin01-...
    sk-gw-operator01-...

The checksum lets a malformed key be refused without any look-up and lets secret scanners recognise a leak.
Only `digest` (HMAC-SHA256 under a pepper that is not in the database) and `hint` are stored.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from typing import Literal, cast

Kind = Literal["api", "admin"]  # of the keys of organizations
AnyKind = Kind | Literal["operator"]

API: Kind = "api"
ADMIN: Kind = "admin"
OPERATOR: AnyKind = "operator"
PLAYGROUND = "playground"  # what members send from the Playground: keys that no secret opens
PREFIXES: dict[AnyKind, str] = {
    "api": "sk-gw-api01-",
    "admin": "sk-gw-admin01-",
    "operator": "sk-gw-operator01-",
}
_SHAPE = re.compile(r"(sk-gw-(api|admin|operator)01-[A-Za-z0-9_-]{43})([A-Za-z0-9_-]{6})")


def new_secret(kind: AnyKind) -> str:
    """A fresh key; shown once, never stored."""
    unchecked = PREFIXES[kind] + secrets.token_urlsafe(32)
    return unchecked + _checksum(unchecked)


def kind_of(secret: str) -> AnyKind | None:
    """`api`, `admin` or `operator` for a key whose checksum holds, else None; costs about 2 microseconds."""
    match = _SHAPE.fullmatch(secret)
    if match is None or not hmac.compare_digest(_checksum(match[1]), match[3]):
        return None
    return cast(AnyKind, match[2])


def digest(secret: str, pepper: bytes) -> bytes:
    """What the database holds of a key: 32 bytes that are useless without the pepper."""
    return hmac.digest(pepper, secret.encode(), "sha256")


def hint(secret: str) -> str:
    """Enough for a person to recognise a key: its prefix, three characters, and the last four."""
    prefix = next((one for one in PREFIXES.values() if secret.startswith(one)), PREFIXES[API])
    return f"{secret[: len(prefix) + 3]}...{secret[-4:]}"


def _checksum(text: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest())[:6].decode()
