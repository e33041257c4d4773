"""`manage.py up`: from nothing to a running gateway in one foreground process.

It prepares what Django's settings need, so it runs without Django: secrets, the embedded stores' addresses,
the listening socket. Then the supervisor takes over.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from gateway import configuration
from gateway.supervisor.banner import show_banner
from gateway.supervisor.data_folder import Lock, lock, prepare
from gateway.supervisor.database_place import DatabasePlace, find_place
from gateway.supervisor.env_file import read_env, write_env
from gateway.supervisor.first_secrets import complete_secrets
from gateway.supervisor.leftovers import end_leftovers, remember_folder, remove_folders
from gateway.supervisor.listener import listen
from gateway.supervisor.postgres import Postgres
from gateway.supervisor.private_folder import make_private_folder
from gateway.supervisor.probe import probe_of
from gateway.supervisor.problem import StartProblem
from gateway.supervisor.signals import Signals
from gateway.supervisor.stack import Stack
from gateway.supervisor.supervisor import Supervisor
from gateway.supervisor.valkey import Valkey, wheel_binary

DRAIN_SECONDS = "5"
PR_SET_PDEATHSIG = 1


def main(arguments: Sequence[str]) -> int:
    """Run until a stop signal (status 0), or say in one line why it cannot be (status 1)."""
    argparse.ArgumentParser(prog="manage.py up", description=(__doc__ or "").split("\n")[0]).parse_args(
        arguments
    )
    _end_with_make()
    signals = Signals()
    data_dir = configuration.data_dir_from_environment()
    try:
        prepare(data_dir)
        Installation(data_dir, lock(data_dir), signals).run()
    except (StartProblem, configuration.ConfigurationError) as problem:
        print(f"up: {problem}", file=sys.stderr, flush=True)
        return 1
    except OSError as problem:
        print(
            f"up: {problem.strerror or problem}: {problem.filename or data_dir}", file=sys.stderr, flush=True
        )
        return 1
    return 0


class Installation:
    """One run of the stack on one DATA_DIR, whose lock it holds."""

    def __init__(self, data_dir: Path, held: Lock, signals: Signals) -> None:
        self._data_dir = data_dir
        self._held = held
        self._signals = signals
        self._place: DatabasePlace | None = None
        self._new_database = False

    def run(self) -> None:
        try:
            self._clear_away_what_was_left()
            stack = self._prepare_stack()
            supervisor = Supervisor(stack.plan(probe_of(stack.listener)), signals=self._signals, say=_say)
            supervisor.run(on_ready=self._greet, on_stop=self._held.tell_stopping)
            _say(f"Stopped. The data stays in {self._data_dir}.")
        finally:
            self._stack_env.unlink(missing_ok=True)
            remove_folders(self._folders, owners=self._owners())

    def _clear_away_what_was_left(self) -> None:
        self._stack_env.unlink(missing_ok=True)
        if not os.environ.get("DATABASE_URL"):
            self._place = find_place(self._data_dir)
            if self._place.data.parent != self._data_dir:
                lock(self._place.data.parent)
        postgres = self._place.data if self._place else self._data_dir / "postgres"
        if count := end_leftovers(self._data_dir, postgres=postgres, valkey=self._data_dir / "valkey"):
            _say(f"Ended {count} processes that an earlier run left behind.")
        remove_folders(self._folders, owners=self._owners())

    def _prepare_stack(self) -> Stack:
        """Everything that can be refused is looked at before anything is started."""
        self._refuse_a_lost_database()
        exists = self._place is not None and self._place.data.exists()
        complete_secrets(self._data_dir, environment=os.environ, database_exists=exists)
        postgres, valkey = self._embedded_postgres(), self._embedded_valkey()
        os.environ["DATA_DIR"] = str(self._data_dir)
        for name, value in (("GATEWAY_SIMULATOR", "true"), ("GATEWAY_DRAIN_SECONDS", DRAIN_SECONDS)):
            os.environ[name] = os.environ.get(name) or value
        settings = configuration.load()
        listener = listen(settings.host, settings.port)
        self._new_database = self._place is not None and not exists
        self._tell_other_commands(settings)
        return Stack(
            data_dir=self._data_dir,
            environment=dict(os.environ),
            postgres=postgres,
            valkey=valkey,
            listener=listener,
            web_processes=settings.web_processes,
            drain_seconds=settings.drain_seconds,
        )

    def _refuse_a_lost_database(self) -> None:
        used = (self._data_dir / "quickstart.env").exists()
        if used and self._place and not self._place.data.exists():
            raise StartProblem(
                f"{self._data_dir} was in use, but its database {self._place.data} is gone: put it back, set "
                f"DATABASE_URL if it lies elsewhere, or remove {self._data_dir} to start afresh."
            )

    def _embedded_postgres(self) -> Postgres | None:
        place = self._place
        if place is None:
            return None
        sockets = self._private_folder("postgres", place)
        postgres = Postgres(data=place.data, sockets=sockets, binaries=place.binaries, user=place.user)
        postgres.check()
        os.environ["DATABASE_URL"] = postgres.url
        return postgres

    def _embedded_valkey(self) -> Valkey | None:
        if os.environ.get("REDIS_URL"):
            return None
        sockets = self._private_folder("valkey", None)
        valkey = Valkey(data=self._data_dir / "valkey", sockets=sockets, binary=wheel_binary())
        os.environ["REDIS_URL"] = valkey.url
        return valkey

    def _private_folder(self, name: str, place: DatabasePlace | None) -> Path:
        folder = make_private_folder(name, place.user if place else None)
        remember_folder(self._folders, folder)
        return folder

    def _tell_other_commands(self, settings: configuration.Configuration) -> None:
        """So that every `manage.py` command finds this stack through DATA_DIR alone."""
        values = {
            "DATABASE_URL": settings.database_url,
            "REDIS_URL": settings.redis_url,
            "GATEWAY_BROKER_URL": settings.broker_url,
            "GATEWAY_PUBLIC_URL": settings.public_url,
            "HOST": settings.host,
            "PORT": str(settings.port),
            "GATEWAY_SIMULATOR": str(settings.simulator).lower(),
        }
        write_env(self._stack_env, values, comment="The running stack; removed when it stops.")

    def _greet(self) -> None:
        if self._new_database:
            # Made without waiting for the disk; from here on a power cut must not harm it either.
            threading.Thread(target=os.sync, daemon=True).start()
        values = read_env(self._data_dir / "quickstart.env")
        notes = self._place.notes if self._place else ()
        show_banner(Console(), values, data_dir=self._data_dir, notes=notes)

    @property
    def _stack_env(self) -> Path:
        return self._data_dir / "stack.env"

    @property
    def _folders(self) -> Path:
        return self._data_dir / "run" / "socket-folders"

    def _owners(self) -> list[int]:
        return [self._place.user.uid] if self._place and self._place.user else []


def _end_with_make() -> None:
    """Under `make up`, end when make is killed: nobody would know that we still run."""
    if os.environ.pop("GATEWAY_END_WITH_PARENT", ""):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _say(line: str) -> None:
    print(f"up: {line}", flush=True)
