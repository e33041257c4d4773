"""How receivers know that a webhook is from here: the scheme of standardwebhooks.com, with which SDKs verify."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets

_PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    """A secret of 256 bits, in the form that SDKs take."""
    return _PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def headers(secret: str, event_id: str, second: int, body: bytes) -> dict[str, str]:
    """The three headers of an event: an attempt has its own time, and all attempts have one id."""
    key = base64.b64decode(secret.removeprefix(_PREFIX))
    signed = b".".join((event_id.encode(), str(second).encode(), body))
    signature = base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": str(second),
        "webhook-signature": f"v1,{signature}",
    }
