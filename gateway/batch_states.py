"""What can have become of an item of a message batch, as numbers that its row holds."""

from __future__ import annotations

import enum


class ItemState(enum.IntEnum):
    """`RUNNING` is leased by a runner, `FORWARDED` lies with a provider in a batch of its own; the rest is final."""

    PENDING = 0
    RUNNING = 1
    FORWARDED = 2
    SUCCEEDED = 3
    ERRORED = 4
    CANCELED = 5
    EXPIRED = 6


FINAL = (ItemState.SUCCEEDED, ItemState.ERRORED, ItemState.CANCELED, ItemState.EXPIRED)
