"""Connections to Postgres for batches, apart from those that messages use: nobody waits behind a batch."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import psycopg
from psycopg.rows import dict_row
from psycopg_pool import AsyncConnectionPool, PoolClosed, PoolTimeout

from gateway.directory.store import StoreUnavailable

Row = dict[str, Any]
Connection = psycopg.AsyncConnection[Row]

MOST_CONNECTIONS = 8  # of one process
WAIT_SECONDS = 10.0


class BatchStore:
    """Opens its first connection when it is needed. `close` belongs to the process."""

    def __init__(self, database_url: str) -> None:
        self._pool: AsyncConnectionPool[Connection] = AsyncConnectionPool(
            database_url,
            min_size=0,
            max_size=MOST_CONNECTIONS,
            timeout=WAIT_SECONDS,
            max_idle=60,
            open=False,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "connect_timeout": 2,
                "tcp_user_timeout": 15_000,
                "options": "-c statement_timeout=60s",
            },
            check=AsyncConnectionPool.check_connection,
        )
        self._opened = False

    async def close(self) -> None:
        if self._opened:
            await self._pool.close()

    @contextlib.asynccontextmanager
    async def connection(self, *, transaction: bool = False) -> AsyncIterator[Connection]:
        """One that commits each statement by itself, or all of them at the end. Raises `StoreUnavailable`."""
        if not self._opened:
            self._opened = True
            await self._pool.open()
        try:
            async with self._pool.connection() as connection:
                if not transaction:
                    yield connection
                    return
                async with connection.transaction():
                    yield connection
        except (psycopg.OperationalError, PoolTimeout, PoolClosed) as problem:
            raise StoreUnavailable(str(problem) or "no answer in time") from problem
