"""The announcement of a change in the directory, as it travels over Valkey's pub/sub."""

from __future__ import annotations

import msgspec

CHANNEL = "gw:directory"


class Change(msgspec.Struct, frozen=True, omit_defaults=True):
    """What changed: the `catalog`, one `key` (hex digest) or all keys of one `organization` (its id)."""

    kind: str
    subject: str = ""
