"""What a month of usage is, told by whoever made it to whoever asks about it."""

from __future__ import annotations

import datetime

import msgspec

EVENTS = 10_000_000
DAYS = 30


class Archive(msgspec.Struct, frozen=True):
    """What a benchmark needs to know: who to ask as, which lists there are, and about which time.

    `organization_id` is the large one's, `session` the cookie of one of its admins who is signed in.
    """

    organization_id: str
    admin_key: str
    session: str
    lists: list[str]
    first_day: datetime.date
    last_day: datetime.date
    events: int
    rows: dict[str, int]
