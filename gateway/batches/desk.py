"""What a runner has of one organization: batches that have items to send, and items that it leased and has not sent."""

from __future__ import annotations

import uuid
from collections import deque

import msgspec

from gateway.batches.item_call import Owner
from gateway.batches.queue import Item
from gateway.batches.store import Row
from gateway.limit_pools import BATCH

MOST_AT_ONCE = 50  # of an organization that has no limit


class _Head(msgspec.Struct):
    model: str = ""


_head = msgspec.json.Decoder(_Head)


class Leased(msgspec.Struct, frozen=True):
    """An item that is to be sent. `model` is what it asks for, "" where that cannot be read."""

    item: Item
    batch: Row
    model: str


class Desk:
    """`most` items may be under way at once. Items wait in a line for each model: one that has to wait holds up no
    other."""

    def __init__(self, organization_id: uuid.UUID) -> None:
        self.organization_id = organization_id
        self.most = MOST_AT_ONCE
        self.under_way = 0
        self.not_before = 0.0  # by the monotonic clock: limits have no room until then
        self.batches: deque[Row] = deque()
        self._lines: dict[str, deque[Leased]] = {}

    @property
    def waiting(self) -> int:
        return sum(map(len, self._lines.values()))

    @property
    def has_room(self) -> bool:
        return self.under_way < self.most

    def models(self) -> list[str]:
        """Those that items wait for, in turns."""
        return list(self._lines)

    def add(self, items: list[Item], batch: Row) -> None:
        for item in items:
            model = _model(item.params)
            self._lines.setdefault(model, deque()).append(Leased(item, batch, model))

    def put_back(self, leased: Leased) -> None:
        """To the head of its line: it is to be sent again."""
        self._lines.setdefault(leased.model, deque()).appendleft(leased)

    def take(self, model: str) -> Leased:
        """The next one for that model, whose turn is over with that."""
        line = self._lines.pop(model)
        leased = line.popleft()
        if line:
            self._lines[model] = line
        return leased

    def give_up(self, model: str) -> list[Leased]:
        """All that wait for a model."""
        return list(self._lines.pop(model, ()))

    def give_up_batch(self, batch_id: str) -> list[Leased]:
        """All that wait of a batch."""
        given_up = [
            leased for line in self._lines.values() for leased in line if leased.item.batch_id == batch_id
        ]
        for model, line in list(self._lines.items()):
            kept = deque(leased for leased in line if leased.item.batch_id != batch_id)
            self._lines.pop(model)
            if kept:
                self._lines[model] = kept
        return given_up

    def held_batches(self) -> set[str]:
        return {leased.item.batch_id for line in self._lines.values() for leased in line}

    def give_up_all(self) -> list[Leased]:
        return [leased for model in self.models() for leased in self.give_up(model)]


def most_at_once(owner: Owner) -> int:
    """What the limits of an organization, a workspace and a key let be under way of batches."""
    pool = owner.workspace.pools.of(BATCH)
    return min((scope.concurrent for scope in pool.scopes if scope.concurrent), default=MOST_AT_ONCE)


def _model(params: bytes) -> str:
    try:
        return _head.decode(params).model
    except (msgspec.ValidationError, msgspec.DecodeError, UnicodeDecodeError):
        return ""
