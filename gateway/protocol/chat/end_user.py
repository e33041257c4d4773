"""The caller's name for the person it acts for, as Anthropic takes it."""

from __future__ import annotations

import hashlib

import msgspec

from gateway.protocol.anthropic.written import Metadata, Request
from gateway.protocol.body import Body
from gateway.protocol.chat.request import optional

_LONGEST = 256
_string = msgspec.json.Decoder(str | None)


def set_user(written: Request, body: Body) -> None:
    """`safety_identifier`, or `user` as it was called before; a name that is too long is told by its hash."""
    user = optional(body, "safety_identifier", _string) or optional(body, "user", _string)
    if user:
        short = user if len(user) <= _LONGEST else hashlib.sha256(user.encode()).hexdigest()
        written.metadata = Metadata(short)
