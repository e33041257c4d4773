"""Asks the web processes whether they are ready, without ever waiting for the answer."""

from __future__ import annotations

import select
import socket
import time

PATIENCE = 5.0
_REQUEST = b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


class Probe:
    """Called again and again: True once `/readyz` answered 200. Keeps one question open at a time."""

    def __init__(self, address: tuple[str, int], family: socket.AddressFamily) -> None:
        self._address = address
        self._family = family
        self._connection: socket.socket | None = None
        self._asked = 0.0

    def __call__(self) -> bool:
        try:
            return self._step()
        except OSError:
            self._forget()
            return False

    def _step(self) -> bool:
        if self._connection is None:
            self._ask()
        assert self._connection is not None
        if not select.select([self._connection], [], [], 0)[0]:
            if time.monotonic() - self._asked > PATIENCE:
                self._forget()
            return False
        status = self._connection.recv(64)
        self._forget()
        return status.startswith((b"HTTP/1.1 200", b"HTTP/1.0 200"))

    def _ask(self) -> None:
        self._connection = socket.socket(self._family, socket.SOCK_STREAM)
        self._connection.settimeout(1.0)
        self._asked = time.monotonic()
        self._connection.connect(self._address)
        self._connection.sendall(_REQUEST)

    def _forget(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def probe_of(listener: socket.socket) -> Probe:
    """The probe for a listening socket; one that listens everywhere is asked on the loopback."""
    host, port = listener.getsockname()[:2]
    loopback = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    return Probe((loopback.get(host, host), port), listener.family)
