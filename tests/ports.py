"""Ports for servers that are started by number."""

from __future__ import annotations

import contextlib
import secrets
import socket

LOWEST, HIGHEST = 15_000, 31_999


def free_port(highest: int = HIGHEST) -> int:
    """Below the ports that connections go out from: one of those may be taken before it is listened at, or while
    its server is started again."""
    while True:
        port = LOWEST + secrets.randbelow(
            highest + 1 - LOWEST
        )  # two test runs must not draw the same numbers
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
