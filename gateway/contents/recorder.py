"""Writes contents to Postgres behind the requests' backs: nobody waits for it, and memory is bounded.

Contents are for looking things up, not for billing: what does not fit while Postgres is slow or away is left out and
counted.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections import deque
from typing import LiteralString

import psycopg
import structlog

from gateway import metrics
from gateway.contents.headers import encode
from gateway.contents.recording import Recording
from gateway.contents.sealed import seal
from gateway.encryption import Vault

log = structlog.get_logger(__name__)

MOST_WAITING = 64 * 1024 * 1024  # bytes
AT_ONCE = 20
AGAIN_SECONDS = 2.0
LAST_SECONDS = 2.0  # for what waits when the process stops

INSERT: LiteralString = """
INSERT INTO request_content (organization_id, request_id, workspace_id, api_key_id, at, expires_at, endpoint, status,
                             streamed, cut, headers, request, response)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING
"""


class Recorder:
    """`keep` each recording once its request is answered; `stop` with the process."""

    def __init__(self, database_url: str, vault: Vault) -> None:
        self._database_url = database_url
        self._vault = vault
        self._waiting: deque[Recording] = deque()
        self._bytes = 0
        self._work = asyncio.Event()
        self._written = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._connection: psycopg.AsyncConnection | None = None

    def keep(self, recording: Recording) -> None:
        if self._bytes + recording.size > MOST_WAITING:
            metrics.content_left_out()
            return
        self._waiting.append(recording)
        self._bytes += recording.size
        self._work.set()
        self._written.clear()
        if self._task is None:
            self._task = asyncio.create_task(self._write_all())

    async def stop(self) -> None:
        if self._task is None:
            return
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LAST_SECONDS):
                await self._written.wait()
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task
        if self._connection is not None:
            await self._connection.close()

    async def _write_all(self) -> None:
        while True:
            await self._work.wait()
            self._work.clear()
            while self._waiting:
                await self._write(list(itertools.islice(self._waiting, AT_ONCE)))
            self._written.set()

    async def _write(self, some: list[Recording]) -> None:
        """The oldest; they go from memory once Postgres has them."""
        try:
            rows = await asyncio.to_thread(lambda: [_row(self._vault, one) for one in some])
            connection = await self._connected()
            async with connection.cursor() as cursor:
                await cursor.executemany(INSERT, rows)
        except psycopg.Error as problem:
            log.warning("contents_wait", waiting=len(self._waiting), error=str(problem))
            await asyncio.sleep(AGAIN_SECONDS)
            return
        for one in some:
            self._waiting.popleft()
            self._bytes -= one.size

    async def _connected(self) -> psycopg.AsyncConnection:
        if self._connection is None or self._connection.closed:
            self._connection = await psycopg.AsyncConnection.connect(
                self._database_url, autocommit=True, connect_timeout=2, options="-c statement_timeout=30s"
            )
        return self._connection


def _row(vault: Vault, one: Recording) -> tuple[object, ...]:
    headers = seal(vault, encode(one.headers, one.answered))
    request, response = seal(vault, one.request), seal(vault, one.response)
    return (
        one.organization_id,
        one.request_id,
        one.workspace_id,
        one.api_key_id,
        one.at,
        one.expires_at,
        one.endpoint,
        one.status,
        one.streamed,
        one.cut,
        headers,
        request,
        response,
    )
