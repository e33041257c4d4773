"""The real web process with a fault on the way from a key to its holder: `python -m tests.promises.faulty_server`.

The file `fault` in DATA_DIR says where and what, for instance `rows OperationalError`; no file, no fault.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import hiredis
import msgspec
import psycopg
import psycopg_pool

from gateway import credentials, server
from gateway.consumers import authentication, model_call
from gateway.directory import store
from gateway.directory.keys import KeyCache
from gateway.directory.store import DirectoryStore, StoreUnavailable
from gateway.limits.limiter import Limiter
from gateway.valkey import ValkeyUnavailable

POINTS: dict[str, tuple[Any, str]] = {
    "authenticate": (model_call, "authenticate"),
    "secret": (authentication, "_secret"),
    "shape": (credentials, "kind_of"),
    "digest": (credentials, "digest"),
    "cached": (KeyCache, "cached"),
    "find": (KeyCache, "find"),
    "read": (KeyCache, "_read"),
    "remember": (KeyCache, "_remember"),
    "principal": (DirectoryStore, "principal"),
    "rows": (DirectoryStore, "_rows"),
    "ask": (DirectoryStore, "_ask"),
    "row": (store, "_principal"),
    "refusal": (store, "_refusal"),
    "guesses": (Limiter, "guesses"),
    "usable": (authentication, "_check_usable"),
    "workspace": (model_call, "workspace_of"),
}
FAULTS: dict[str, Callable[[], BaseException]] = {
    kind.__name__: kind
    for kind in (
        RuntimeError,
        KeyError,
        ValueError,
        TypeError,
        AttributeError,
        LookupError,
        OSError,
        ConnectionResetError,
        TimeoutError,
        MemoryError,
        RecursionError,
        AssertionError,
        StopAsyncIteration,
        EOFError,
        asyncio.CancelledError,
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.DataError,
        psycopg.ProgrammingError,
        psycopg.errors.QueryCanceled,
        psycopg.errors.AdminShutdown,
        psycopg_pool.PoolTimeout,
        psycopg_pool.PoolClosed,
        psycopg_pool.TooManyRequests,
        msgspec.ValidationError,
        hiredis.ProtocolError,
        StoreUnavailable,
        ValkeyUnavailable,
    )
}
FAULT = Path(os.environ["DATA_DIR"]) / "fault"


def break_(point: str) -> None:
    owner, name = POINTS[point]
    healthy = getattr(owner, name)

    def faulty(*given: Any, **named: Any) -> Any:
        where, _, what = FAULT.read_text().partition(" ") if FAULT.exists() else ("", "", "")
        if where == point:
            raise FAULTS[what]()
        return healthy(*given, **named)

    setattr(owner, name, faulty)


if __name__ == "__main__":
    for point in POINTS:
        break_(point)
    server.main()
