"""That this process is about to stop: what would stay open until it is cut ends by itself when it sees that."""

from __future__ import annotations

import threading

_begun = threading.Event()


def begin() -> None:
    _begun.set()


def begun() -> bool:
    return _begun.is_set()
