"""Several web processes on one listening socket, as under `manage.py up` with `GATEWAY_WEB_PROCESSES`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType

import psutil
from prometheus_client.parser import text_string_to_metric_families

from tests.data_plane import wire
from tests.data_plane.house import PROJECT

METRICS = wire.request("GET", "/metrics", [("connection", "close")])
PATIENCE = 60.0  # seconds for a process to serve, and for one that was told to end
BORN = "process_start_time_seconds"

Figures = dict[str, float]


class WebGroup:
    """Processes by their place, 0 to `count` - 1. Who ends one starts it again: nobody else does.

    What is changed in `environment` holds for those that are started afterwards.
    """

    def __init__(self, environment: Mapping[str, str], logs: Path, count: int = 3) -> None:
        self.environment = dict(environment)
        self._logs = logs
        self._count = count
        self._processes: dict[int, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> WebGroup:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
        self.port = int(self._listener.getsockname()[1])
        for place in range(self._count):
            self.start(place)
            time.sleep(0.03)  # births are told apart by the clock's ticks
        for place in range(self._count):
            self.wait_until_serving(place)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            process.send_signal(signal.SIGCONT)
            process.terminate()
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(8)
            process.kill()
            process.wait()
        self._listener.close()

    @property
    def places(self) -> range:
        return range(self._count)

    def process(self, place: int) -> psutil.Process:
        return psutil.Process(self._processes[place].pid)

    def start(self, place: int) -> None:
        descriptor = self._listener.fileno()
        own = {"HOST": "127.0.0.1", "PORT": str(self.port), "GATEWAY_LISTEN_FD": str(descriptor)}
        with (self._logs / f"web-{place}.log").open("ab") as log:
            self._processes[place] = subprocess.Popen(
                [sys.executable, "-m", "gateway.server"],
                cwd=PROJECT,
                env={**self.environment, **own},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                pass_fds=[descriptor],
            )

    def restart(self, place: int) -> int:
        """SIGTERM, wait for its end, start it again and wait until it serves; its exit status."""
        self._processes[place].terminate()
        status = self._processes[place].wait(PATIENCE)
        self.start(place)
        self.wait_until_serving(place)
        return status

    def kill(self, place: int) -> None:
        self._processes[place].kill()
        self._processes[place].wait()

    def clients(self, place: int) -> set[int]:
        """The ports from which clients are connected to one process."""
        ours = self.process(place).net_connections("tcp")
        return {one.raddr.port for one in ours if one.raddr and one.laddr.port == self.port}

    def wait_until_serving(self, place: int) -> None:
        deadline = time.monotonic() + PATIENCE
        born = _ticks(self.process(place).create_time())
        while time.monotonic() < deadline and self._processes[place].poll() is None:
            if any(_ticks(figures[BORN]) == born for figures in asyncio.run(_ask(self.port, 8))):
                return
            time.sleep(0.05)
        log = (self._logs / f"web-{place}.log").read_text()
        raise AssertionError(f"web process {place} does not serve:\n{log[-3000:]}")

    def figures(self) -> dict[int, Figures]:
        """`/metrics` of each process; they share a socket, so we ask until all have answered."""
        births = {_ticks(self.process(place).create_time()): place for place in self.places}
        found: dict[int, Figures] = {}
        deadline = time.monotonic() + PATIENCE
        while len(found) < self._count:
            assert time.monotonic() < deadline, f"only {sorted(found)} answered"
            for figures in asyncio.run(_ask(self.port, 4 * self._count)):
                if (place := births.get(_ticks(figures[BORN]))) is not None:
                    found[place] = figures
        return found


def _ticks(seconds: float) -> int:
    """The kernel's clock, by which both we and the process itself know when it was born."""
    return round(seconds * os.sysconf("SC_CLK_TCK"))


async def _ask(port: int, times: int) -> list[Figures]:
    answers = await asyncio.gather(
        *(wire.ask(port, METRICS, 5) for _ in range(times)), return_exceptions=True
    )
    return [_figures(one.body.decode()) for one in answers if isinstance(one, wire.Answer)]


def _figures(text: str) -> Figures:
    """Samples without labels."""
    families = text_string_to_metric_families(text)
    return {sample.name: sample.value for one in families for sample in one.samples if not sample.labels}
