"""The queue under any sequence of what runners, owners and clocks do, next to a model of it in a few lines.

A runner that died goes on here: it knows nothing of its death, and stores what it finished.
"""

from __future__ import annotations

import asyncio
import os
import random
import uuid
from collections import Counter
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any, TypeVar

import psycopg
import pytest
from django.db import connection as django_connection
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from psycopg.rows import dict_row

from gateway.batch_states import FINAL, ItemState
from gateway.batches import queue, runners
from gateway.batches.queue import Item, Outcome
from gateway.batches.store import Connection

T = TypeVar("T")
NAMES = {
    ItemState.SUCCEEDED: "succeeded",
    ItemState.ERRORED: "errored",
    ItemState.CANCELED: "canceled",
    ItemState.EXPIRED: "expired",
}
RUNNERS = st.integers(0, 2)


@dataclass
class Known:
    """What must be true of an item. `waits` is that it was put back for a while, `survived` that
    who had it died."""

    state: ItemState = ItemState.PENDING
    lease: int | None = None
    tries: int = 0
    waits: bool = False
    survived: bool = False
    line: bytes | None = None


class QueueMachine(RuleBasedStateMachine):
    """Two batches and three runners, in one transaction that is undone."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        parameters = {**django_connection.get_connection_params(), "cursor_factory": psycopg.AsyncCursor}
        for name in ("context", "cursor_factory", "prepare_threshold", "server_side_binding"):
            parameters.pop(name, None)
        self.connection: Connection = self.run(
            psycopg.AsyncConnection.connect(**parameters, row_factory=dict_row)
        )
        self.items: dict[tuple[str, int], Known] = {}
        self.statuses: dict[str, str] = {}
        self.held: list[list[Item]] = [[], [], []]  # what each runner believes it holds
        self.stale: list[set[int]] = [set(), set(), set()]
        self.again: list[list[Outcome]] = [[], [], []]  # given, and nobody said whether they were taken
        self.runners: list[int] = []

    def run(self, what: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(what)

    def sql(self, query: str, *given: object) -> list[dict[str, Any]]:
        cursor = self.run(self.connection.execute(query.encode(), given))
        return self.run(cursor.fetchall()) if cursor.description else []

    @initialize(sizes=st.tuples(st.integers(1, 6), st.integers(1, 6)))
    def two_batches(self, sizes: tuple[int, int]) -> None:
        self.sql("SET session_replication_role = replica")  # neither organization nor workspace is there
        for number, size in enumerate(sizes):
            batch_id = f"msgbatch_{number}"
            self.sql(_BATCH, batch_id, uuid.uuid4(), size)
            self.statuses[batch_id] = "in_progress"
            for n in range(size):
                values = batch_id, n, f"item-{n}", b"{}"
                self.sql(
                    "INSERT INTO message_batch_item (batch_id, number, custom_id, params) VALUES (%s, %s, %s, %s)",
                    *values,
                )
                self.items[batch_id, n] = Known()
        self.runners = [self._registered() for _ in range(3)]

    def teardown(self) -> None:
        self.run(self.connection.rollback())
        self.run(self.connection.close())
        self.loop.close()

    # --- What happens ---

    @rule(runner=RUNNERS, first=st.booleans(), most=st.integers(1, 6), again=st.sampled_from([0, 0, 1, 2]))
    def lease(self, runner: int, first: bool, most: int, again: int) -> None:
        """Those that nobody died of; or those that somebody may have died of after so many tries."""
        if self.again[runner]:  # `Filing.failing`
            return
        batch_id = self._batch(first)
        given = self.connection, self.runners[runner], batch_id
        leasing = (
            queue.lease_again(*given, tries=again, most=most, bytes_=1 << 20)
            if again
            else queue.lease(*given, most=most, bytes_=1 << 20)
        )
        leased = self.run(leasing)
        free = [key for key, item in self.items.items() if key[0] == batch_id and _is_free(item, again)]
        expected = free[:most] if self.statuses[batch_id] == "in_progress" else []
        assert [(item.batch_id, item.number) for item in leased] == expected
        for item in leased:
            known = self.items[item.batch_id, item.number]
            known.state, known.lease, known.tries = (
                ItemState.RUNNING,
                self.runners[runner],
                known.tries + 1,
            )
            assert item.tries == known.tries
        leased_keys = {(item.batch_id, item.number) for item in leased}
        self.stale[runner] |= {
            id(item) for item in self.held[runner] if (item.batch_id, item.number) in leased_keys
        }
        self.held[runner] += leased

    @precondition(lambda self: any(self.held))
    @rule(
        runner=RUNNERS,
        share=st.floats(0.2, 1),
        state=st.sampled_from([ItemState.SUCCEEDED, ItemState.ERRORED, ItemState.PENDING]),
        unsent=st.booleans(),
        forgets=st.booleans(),
        wait=st.sampled_from([0.0, 5.0]),
        seed=st.integers(0, 99),
    )
    def store(
        self, runner: int, share: float, state: ItemState, unsent: bool, forgets: bool, wait: float, seed: int
    ) -> None:
        """One that `forgets` was not told that it was stored: it will do it again before it leases more."""
        held = self.held[runner]
        chosen = random.Random(seed).sample(held, round(len(held) * share))
        unsent = unsent and state is ItemState.PENDING
        new = [Outcome(item, state, _line(item, state), wait, unsent) for item in chosen]
        outcomes = self.again[runner] or new
        ended = self.run(queue.store(self.connection, self.runners[runner], outcomes))
        for outcome in outcomes:
            self._stored(runner, outcome)
        assert set(ended) == self._now_ended()
        self.again[runner] = outcomes if forgets else []
        if not forgets:
            done = {id(outcome.item) for outcome in outcomes}
            self.held[runner] = [item for item in held if id(item) not in done]

    def _stored(self, runner: int, outcome: Outcome) -> None:
        known = self.items[outcome.item.batch_id, outcome.item.number]
        if (known.state, known.lease, known.tries) != (
            ItemState.RUNNING,
            self.runners[runner],
            outcome.item.tries,
        ):
            return
        assert id(outcome.item) not in self.stale[runner], "an older lease of the same item counted"
        known.state, known.lease, known.line = outcome.state, None, outcome.line or None
        known.tries -= outcome.unsent
        known.waits = outcome.state is ItemState.PENDING and outcome.wait > 0
        known.survived = False

    @rule(runner=RUNNERS)
    def die(self, runner: int) -> None:
        """Somebody buries it; another one comes in its place, and inherits what it believes to hold."""
        self.run(runners.remove(self.connection, [self.runners[runner]]))
        self._freed(self.runners[runner])
        self.runners[runner] = self._registered()

    @rule(runner=RUNNERS)
    def bury_alive(self, runner: int) -> None:
        """It was silent for too long, and comes back: what it leases then is given back once it is looked for."""
        self.run(runners.remove(self.connection, [self.runners[runner]]))
        self._freed(self.runners[runner])

    @rule()
    def look_for_orphans(self) -> None:
        registered = {row["id"] for row in self.sql("SELECT id FROM message_batch_runner")}
        lost = {row["id"] for row in self.sql(runners._SILENT, 30.0)}
        assert lost == {
            one.lease for one in self.items.values() if one.lease is not None and one.lease not in registered
        }
        self.run(runners.remove(self.connection, sorted(lost)))
        for lease in lost:
            self._freed(lease)

    @rule(first=st.booleans())
    def cancel(self, first: bool) -> None:
        batch_id = self._batch(first)
        if self.statuses[batch_id] in ("in_progress", "late"):
            self.sql("UPDATE message_batch SET status = 'canceling' WHERE id = %s", batch_id)
            self.statuses[batch_id] = "canceling"

    @rule(first=st.booleans())
    def expire(self, first: bool) -> None:
        batch_id = self._batch(first)
        if self.statuses[batch_id] == "in_progress":
            self.sql("UPDATE message_batch SET expires_at = now() WHERE id = %s", batch_id)
            self.statuses[batch_id] = "late"

    @rule()
    def mark(self) -> None:
        expected = 0
        for (batch_id, number), known in self.items.items():
            over = {"canceling": ItemState.CANCELED, "late": ItemState.EXPIRED}.get(self.statuses[batch_id])
            if over is not None and known.state is ItemState.PENDING:
                known.state, known.line = over, _line_of(f"item-{number}", NAMES[over])
                expected += 1
        assert self.run(queue.mark_unsent(self.connection)) == expected
        self._now_ended()

    @rule()
    def time_passes(self) -> None:
        self.sql("UPDATE message_batch_item SET not_before = now() WHERE not_before > now()")
        for known in self.items.values():
            known.waits = False

    # --- What is always so ---

    @invariant()
    def rows_are_as_they_must_be(self) -> None:
        if not self.items:
            return
        rows = self.sql(
            "SELECT * FROM message_batch_item WHERE batch_id = ANY(%s) ORDER BY batch_id, number",
            list(self.statuses),
        )
        found = {
            (row["batch_id"], row["number"]): (row["state"], row["lease"], row["tries"], row["result"])
            for row in rows
        }
        assert found == {key: (one.state, one.lease, one.tries, one.line) for key, one in self.items.items()}

    @invariant()
    def counts_are_those_of_the_rows(self) -> None:
        for row in self.sql("SELECT * FROM message_batch WHERE id = ANY(%s)", list(self.statuses)):
            batch_id, status = row["id"], self.statuses[row["id"]]
            states = Counter(one.state for key, one in self.items.items() if key[0] == batch_id)
            assert {name: row[name] for name in NAMES.values()} == {
                name: states[one] for one, name in NAMES.items()
            }
            done = sum(states[one] for one in FINAL)
            assert done <= row["total"]
            assert (row["status"] == "ended") == (done == row["total"]) == (row["ended_at"] is not None)
            assert row["status"] == {"late": "in_progress"}.get(status, status)

    # --- The model ---

    def _batch(self, first: bool) -> str:
        return sorted(self.statuses)[not first]

    def _freed(self, lease: int) -> None:
        for known in self.items.values():
            if known.lease == lease:
                known.state, known.lease, known.survived = ItemState.PENDING, None, True

    def _now_ended(self) -> set[str]:
        """Those that have ended with what was done just now."""
        ended = {
            batch_id
            for batch_id, status in self.statuses.items()
            if status != "ended"
            and all(one.state in FINAL for key, one in self.items.items() if key[0] == batch_id)
        }
        self.statuses.update(dict.fromkeys(ended, "ended"))
        return ended

    def _registered(self) -> int:
        query = "INSERT INTO message_batch_runner (started_at, seen_at, host) VALUES (now(), now(), '') RETURNING id"
        return int(self.sql(query)[0]["id"])


def _is_free(item: Known, again: int) -> bool:
    if item.state is not ItemState.PENDING or item.waits:
        return False
    if again:
        return item.survived and item.tries == again
    return not item.survived or item.tries == 0 or item.tries >= queue.MOST_TRIES


def _line(item: Item, state: ItemState) -> bytes:
    return b"" if state is ItemState.PENDING else _line_of(item.custom_id, f"{NAMES[state]} {item.tries}")


def _line_of(custom_id: str, type_: str) -> bytes:
    return b'{"custom_id":"%s","result":{"type":"%s"}}' % (custom_id.encode(), type_.encode())


_BATCH = """
INSERT INTO message_batch (id, organization_id, workspace_id, api_key_id, request_id, status, passage, version, relayed,
    query, user_agent, model_names, total, succeeded, errored, canceled, expired, created_at, expires_at, provider,
    upstream_id)
VALUES (%s, %s, 'wrkspc', 'apikey', 'req', 'in_progress', 'emulated', '2023-06-01', '[]', '', '', '[]', %s, 0, 0, 0, 0,
    now(), now() + interval '1 day', '', '')
"""


@pytest.mark.django_db
def test_every_item_gets_one_result_and_counts_always_sum_up() -> None:
    run_state_machine_as_test(
        QueueMachine,
        settings=settings(
            max_examples=int(os.environ.get("FUZZ_EXAMPLES", "") or 25),
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        ),
    )
