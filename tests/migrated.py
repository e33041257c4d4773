"""The tables, made once for all databases and all servers of a test run: to migrate each of them takes seconds."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import psycopg
from django.core.management import call_command
from django.db import connection

from gateway.supervisor.postgres import DATABASE, Postgres

TEMPLATE = "migrated"  # nobody may connect to it, so that it can be copied at any time


def migrate(server: Postgres) -> None:
    """Migrate the database that Django's settings name, and make the template of it. `server` is running."""
    call_command("migrate", verbosity=0)
    connection.close()
    connection.close_pool()  # a template has nobody connected to it
    _administer(server, f"CREATE DATABASE {TEMPLATE} TEMPLATE {DATABASE} ALLOW_CONNECTIONS false")


def new_database(server: Postgres, name: str) -> str:
    """The address of a migrated database of that name, in place of any that has it."""
    _administer(server, f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    _administer(server, f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} STRATEGY file_copy")
    return _named(server, name)


def keep(server: Postgres) -> None:
    """Put its files aside for servers of their own. `server` rests."""
    _copy(server.data, _kept(server))


def initialize(own: Postgres, server: Postgres) -> None:
    """Give a new server what `keep` put aside, in place of `Postgres.initialize` and of migrations."""
    _copy(_kept(server), own.data)


def _administer(server: Postgres, command: str) -> None:
    with psycopg.connect(_named(server, "postgres"), autocommit=True) as connection:
        connection.execute(command.encode())


def _named(server: Postgres, name: str) -> str:
    return re.sub(rf"/{DATABASE}(?=\?)", f"/{name}", server.url)


def _kept(server: Postgres) -> Path:
    return server.data.with_name(f"{server.data.name}.kept")


def _copy(files: Path, to: Path) -> None:
    """With their owner, who is another user where root tests."""
    subprocess.run(["cp", "--archive", "--reflink=auto", files, to], check=True)
