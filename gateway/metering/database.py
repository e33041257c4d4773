"""The drain's own connection to Postgres.

From `CONFIGURATION.database_url` and not through Django: one connection that lives as long as the process and
is opened anew after a failure, where Django's belong to requests and come from a pool.
"""

from __future__ import annotations

import psycopg

_OPTIONS = "-c statement_timeout=30s -c lock_timeout=5s -c idle_in_transaction_session_timeout=60s"


class Database:
    def __init__(self, url: str) -> None:
        self._url = url
        self._connection: psycopg.Connection | None = None

    def connection(self) -> psycopg.Connection:
        """In autocommit mode. Raises `psycopg.OperationalError` while Postgres is away."""
        if self._connection is None or self._connection.closed:
            self._connection = psycopg.connect(
                self._url,
                autocommit=True,
                connect_timeout=3,
                application_name="gateway-drain",
                options=_OPTIONS,
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
            )
        return self._connection

    def close(self) -> None:
        """Drop the connection; the next use opens another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
