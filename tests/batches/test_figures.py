"""What `/metrics` tells of batches, from the rows that there are."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

from gateway import metrics
from gateway.batch_states import ItemState
from gateway.batches import figures
from gateway.batches.figures import FigureReader
from gateway.batches.queue import Item, Outcome
from gateway.batches.store import BatchStore
from gateway.batches.tally import Tally
from gateway.directory.store import StoreUnavailable
from gateway.supervisor.postgres import Postgres
from tests import migrated
from tests.operations.test_metrics import value

NOTHING = {"sent": 0, "finished": 0, "requeued": 0, "refused": 0}


@pytest.fixture(scope="module")
def address(postgres_server: Postgres) -> str:
    return migrated.new_database(postgres_server, "batch_figures")


@pytest.fixture
def database(address: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(address, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")  # owners do not matter here
        connection.execute("TRUNCATE message_batch, message_batch_item, message_batch_tally, idempotency_key")
        yield connection


def insert(database: psycopg.Connection, id: str, age: str, status: str, *counts: int) -> None:
    """`counts` are the total, succeeded, errored, canceled, expired."""
    database.execute(
        """INSERT INTO message_batch (id, organization_id, workspace_id, api_key_id, request_id, passage, version,
             relayed, query, user_agent, model_names, provider, upstream_id, created_at, expires_at, status,
             total, succeeded, errored, canceled, expired)
           VALUES (%s, gen_random_uuid(), 'w', '', '', '', '', '[]', '', '', '[]', '', '', now() - %s::interval, now(),
             %s, %s, %s, %s, %s, %s)""",
        [id, age, status, *counts],
    )


def outcome(state: ItemState, *, unsent: bool = False) -> Outcome:
    return Outcome(Item("msgbatch_1", 1, "c", b"{}", 1), state, unsent=unsent)


async def test_open_batches_and_their_items_are_counted(address: str, database: psycopg.Connection) -> None:
    insert(database, "new", "1 minute", "in_progress", 10, 2, 1, 0, 0)
    insert(database, "old", "2 hours", "canceling", 100, 50, 0, 30, 5)
    insert(database, "ended", "3 hours", "ended", 7, 7, 0, 0, 0)
    database.execute(
        """INSERT INTO message_batch_item (batch_id, number, custom_id, params, state)
           SELECT 'old', n, n::text, ''::bytea, 1 FROM generate_series(1, 4) n"""
    )
    store = BatchStore(address)

    told = await FigureReader(store).read()
    metrics.message_batches(told.batches, told.items, told.oldest_seconds, told.tally)
    await store.close()

    items = {"waiting": 18, "running": 4, "succeeded": 52, "errored": 1, "canceled": 30, "expired": 5}
    assert (told.batches, told.items) == ({"in_progress": 1, "canceling": 1}, items)
    assert 7200 <= told.oldest_seconds < 7300
    assert told.tally == NOTHING
    assert value("gateway_message_batches", status="canceling") == 1
    assert value("gateway_message_batch_items", state="waiting") == 18
    assert value("gateway_oldest_message_batch_seconds") == told.oldest_seconds


async def test_what_runners_did_adds_up(address: str, database: psycopg.Connection) -> None:
    store = BatchStore(address)
    one, other = Tally(), Tally()
    for _ in range(3):
        one.sent()
    one.refused()
    one.stored(
        [outcome(ItemState.SUCCEEDED), outcome(ItemState.PENDING), outcome(ItemState.PENDING, unsent=True)]
    )
    other.sent()
    other.stored([outcome(ItemState.ERRORED)])

    for tally in (one, other, one):  # what was added is not added again
        await tally.add(store)
    told = await FigureReader(store).read()
    metrics.message_batches(told.batches, told.items, told.oldest_seconds, told.tally)
    await store.close()

    assert told.tally == {"sent": 4, "finished": 2, "requeued": 1, "refused": 1}
    assert value("gateway_message_batch_item_runs_total", outcome="finished") == 2


async def test_what_could_not_be_added_is_kept(
    address: str, database: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.batches.store.WAIT_SECONDS", 0.3)
    away, tally = BatchStore(address.replace("batch_figures", "no_such_database")), Tally()
    monkeypatch.undo()
    tally.sent()
    with pytest.raises(StoreUnavailable):
        await tally.add(away)
    await away.close()

    store = BatchStore(address)
    tally.sent()
    await tally.add(store)
    told = await FigureReader(store).read()
    await store.close()

    assert told.tally["sent"] == 2


async def test_however_often_one_asks_the_database_is_asked_every_few_seconds(
    address: str, database: psycopg.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = BatchStore(address)
    reader = FigureReader(store)
    await reader.read()
    insert(database, "later", "1 minute", "in_progress", 10, 0, 0, 0, 0)

    assert (await reader.read()).batches["in_progress"] == 0
    monkeypatch.setattr(figures, "FRESH_SECONDS", 0.0)
    assert (await reader.read()).batches["in_progress"] == 1
    await store.close()
