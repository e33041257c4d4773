"""What a runner has of one organization: batches that have items to send, and items that it leased and has not sent."""

from __future__ import annotations

import uuid
from collections import deque
from collections.abc import Callable

import msgspec

from gateway.batches.item_call import Owner
from gateway.batches.queue import Item
from gateway.batches.store import Row
from gateway.limit_pools import BATCH

MOST_AT_ONCE = 50  # of an organization that has no limit

Line = tuple[str, str]  # the id of a batch, and a model


class _Head(msgspec.Struct):
    model: str = ""


_head = msgspec.json.Decoder(_Head)


class Leased(msgspec.Struct, frozen=True):
    """An item that is to be sent. `model` is what it asks for, "" where that cannot be read; `survived` are the
    deaths of runners that it was leased at, where more is not to be leased beside it."""

    item: Item
    batch: Row
    model: str
    survived: int = 0

    @property
    def line(self) -> Line:
        return self.item.batch_id, self.model


class Desk:
    """`most` items may be under way at once. Items wait in a line for each batch and model: one that has to wait holds
    up no other."""

    def __init__(self, organization_id: uuid.UUID) -> None:
        self.organization_id = organization_id
        self.most = MOST_AT_ONCE
        self.under_way = 0
        self.bytes = 0  # of what is leased, waiting or under way
        self.survivors = 0  # of that, once
        self.batches: deque[Row] = deque()
        self._lines: dict[Line, deque[Leased]] = {}
        self._not_before: dict[str, float] = {}

    @property
    def waiting(self) -> int:
        return sum(map(len, self._lines.values()))

    def lines(self, now: float) -> list[Line]:
        """Those that items wait in, in turns, of batches that their limits let go on at this time."""
        return [line for line in self._lines if self._not_before.get(line[0], 0.0) <= now]

    def seat(self, batches: list[Row]) -> None:
        """Those that have anything to send."""
        self.batches = deque(batches)
        kept = self.held_batches() | {batch["id"] for batch in batches}
        self._not_before = {one: until for one, until in self._not_before.items() if one in kept}

    def next_batch(self, now: float, may_send: Callable[[Row], bool]) -> Row | None:
        """One that has anything to send that `may_send`; the next time another one."""
        for _ in range(len(self.batches)):
            batch = self.batches[0]
            self.batches.rotate(-1)
            if self._not_before.get(batch["id"], 0.0) <= now and may_send(batch):
                return batch
        return None

    def add(self, items: list[Item], batch: Row, *, survived: int = 0) -> None:
        for item in items:
            leased = Leased(item, batch, _model(item.params), survived)
            self._lines.setdefault(leased.line, deque()).append(leased)
            self.bytes += len(item.params)
            self.survivors += survived == 1

    def file(self, leased: Leased) -> None:
        """It is leased no more."""
        self.bytes -= len(leased.item.params)
        self.survivors -= leased.survived == 1

    def put_back(self, leased: Leased, *, not_before: float) -> None:
        """To the head of its line: limits have no room for its batch until then, by the monotonic clock."""
        self._not_before[leased.item.batch_id] = not_before
        self._lines.setdefault(leased.line, deque()).appendleft(leased)

    def put_behind(self, leased: Leased) -> None:
        """To the end of its line, since its provider refused it: perhaps others fare better."""
        self._lines.setdefault(leased.line, deque()).append(leased)

    def take(self, line: Line) -> Leased:
        """The next one of that line, whose turn is over with that."""
        waiting = self._lines.pop(line)
        leased = waiting.popleft()
        if waiting:
            self._lines[line] = waiting
        return leased

    def give_up(self, line: Line) -> list[Leased]:
        """All that wait there."""
        return list(self._lines.pop(line, ()))

    def give_up_batch(self, batch_id: str) -> list[Leased]:
        """All that wait of a batch."""
        lines = [line for line in self._lines if line[0] == batch_id]
        return [leased for line in lines for leased in self.give_up(line)]

    def held_batches(self) -> set[str]:
        return {batch_id for batch_id, _ in self._lines}

    def give_up_all(self) -> list[Leased]:
        return [leased for line in list(self._lines) for leased in self.give_up(line)]


def most_at_once(owner: Owner) -> int:
    """What the limits of an organization, a workspace and a key let be under way of batches."""
    pool = owner.workspace.pools.of(BATCH)
    return min((scope.concurrent for scope in pool.scopes if scope.concurrent), default=MOST_AT_ONCE)


def _model(params: bytes) -> str:
    try:
        return _head.decode(params).model
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
