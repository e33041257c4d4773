"""Asks `/healthz` every 10 ms in a process of its own: `python -m tests.outages.heartbeat PORT`.

Prints one line of JSON, the seconds that each answer took, when its standard input is closed.
"""

from __future__ import annotations

import json
import select
import socket
import subprocess
import sys
import time
from types import TracebackType
from typing import IO, cast

REQUEST = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
EVERY = 0.01  # seconds


class Heartbeat:
    """The process, for the length of a `with`; then `lags` are seconds, sorted."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.lags: list[float] = []

    def __enter__(self) -> Heartbeat:
        command = [sys.executable, "-m", "tests.outages.heartbeat", str(self._port)]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert cast(IO[str], self._process.stdout).readline() == "beating\n"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        said, _ = self._process.communicate(timeout=20)
        self.lags = sorted(json.loads(said))


def main(port: int) -> None:
    lags = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        _ask(connection)
        print("beating", flush=True)
        while not select.select([sys.stdin], [], [], EVERY)[0]:
            asked = time.perf_counter()
            _ask(connection)
            lags.append(time.perf_counter() - asked)
    print(json.dumps(lags))


def _ask(connection: socket.socket) -> None:
    connection.sendall(REQUEST)
    answer = b""
    while not answer.endswith(b'{"status":"ok"}'):
        part = connection.recv(4096)
        assert part, "the gateway closed the connection"
        answer += part


if __name__ == "__main__":
    main(int(sys.argv[1]))
