"""The real thing: `manage.py up` with a DATA_DIR and a port of its own, as a user would run it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import psutil

from gateway.configuration import PROJECT_DIR
from gateway.supervisor.env_file import read_env
from tests.ports import free_port

CHILDREN = ("web", "worker", "beat", "drain", "valkey", "postgres")


@dataclass
class Stack:
    """`extra` goes into the environment; `prefix` before the command (to run it as another user)."""

    data_dir: Path
    port: int = field(default_factory=free_port)
    extra: Mapping[str, str] = field(default_factory=dict)
    prefix: Sequence[str] = ()
    python: str = sys.executable
    process: subprocess.Popen[str] | None = None
    output: str = ""

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def dashboard_url(self) -> str:
        return self.values["GATEWAY_DASHBOARD_URL"]

    @property
    def api_key(self) -> str:
        return self.values["ANTHROPIC_API_KEY"]

    @property
    def admin_key(self) -> str:
        return self.values["GATEWAY_ADMIN_KEY"]

    @property
    def email(self) -> str:
        return self.values["GATEWAY_ADMIN_EMAIL"]

    @property
    def password(self) -> str:
        return self.values["GATEWAY_ADMIN_PASSWORD"]

    @property
    def values(self) -> dict[str, str]:
        return read_env(self.data_dir / "quickstart.env")

    def begin(self) -> None:
        """Start it without waiting for it."""
        self.process = subprocess.Popen(
            [*self.prefix, self.python, "manage.py", "up"],
            cwd=PROJECT_DIR,
            env=self.environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )

    def start(self, *, within: float = 60.0) -> float:
        """Start it and wait for the end of its banner; the seconds it took."""
        began = time.monotonic()
        self.begin()
        assert self.process is not None and self.process.stdout is not None
        watchdog = psutil.Process(self.process.pid)
        self.output = ""
        for line in self.process.stdout:
            self.output += line
            if line.startswith("Ctrl-C ends it"):
                return time.monotonic() - began
            assert time.monotonic() - began < within, self.output
        raise AssertionError(f"{watchdog} ended before it was up:\n{self.output}")

    def refuse(self) -> tuple[int, list[str]]:
        """Start it where it must not start: exit status and lines printed."""
        self.begin()
        assert self.process is not None
        self.output, _ = self.process.communicate(timeout=60)
        return self.process.returncode, self.output.splitlines()

    def stop(self, number: signal.Signals = signal.SIGTERM, *, within: float = 30.0) -> tuple[int, float]:
        """End it; exit status and seconds."""
        assert self.process is not None and self.process.stdout is not None
        began = time.monotonic()
        self.process.send_signal(number)
        rest, _ = self.process.communicate(timeout=within)
        self.output += rest
        return self.process.returncode, time.monotonic() - began

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a `manage.py` command that finds this stack through DATA_DIR alone."""
        environment = self.environment()
        for name in ("HOST", "PORT"):
            environment.pop(name)
        return subprocess.run(
            [*self.prefix, self.python, "manage.py", *arguments],
            cwd=PROJECT_DIR,
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=check,
        )

    def environment(self) -> dict[str, str]:
        kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
        own = {"DATA_DIR": str(self.data_dir), "HOST": "127.0.0.1", "PORT": str(self.port)}
        return {
            **kept,
            **own,
            "GATEWAY_SIMULATOR_DELAY_MS": "0",
            "PYTHONDONTWRITEBYTECODE": "1",
            **self.extra,
        }

    def children(self) -> dict[str, psutil.Process]:
        """The supervisor's own children by name; those that run."""
        assert self.process is not None
        found = {}
        for child in psutil.Process(self.process.pid).children():
            if (name := _name(child)) is not None:
                found[name] = child
        return found

    def processes(self) -> list[psutil.Process]:
        """Every process of this stack, however deep and whoever its parent is by now."""
        return [process for process in psutil.process_iter() if self._owns(process)]

    def ask(self, *, timeout: float = 20.0) -> httpx.Response:
        """A message to the gateway."""
        headers = {"x-api-key": self.api_key, "anthropic-version": "2023-06-01"}
        question = {"role": "user", "content": "Hello"}
        body = {"model": "claude-sonnet-4-5", "max_tokens": 50, "messages": [question]}
        return httpx.post(f"{self.base_url}/v1/messages", headers=headers, json=body, timeout=timeout)

    def _owns(self, process: psutil.Process) -> bool:
        try:
            if process.status() == psutil.STATUS_ZOMBIE:
                return False
            here = str(self.data_dir)
            return process.environ().get("GATEWAY_STACK") == here or process.cwd().startswith(here + "/")
        except (psutil.Error, OSError):
            return False


def alive(processes: Iterable[psutil.Process]) -> list[psutil.Process]:
    """Those that still run; a zombie has ended."""
    return [process for process in processes if _runs(process)]


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _name(process: psutil.Process) -> str | None:
    """Which child this is; None when it is another, or ended while we looked."""
    words = {"gateway.warm_server": "web", "worker": "worker", "beat": "beat", "drain": "drain"}
    programs = {"postgres": "postgres", "valkey-server": "valkey"}
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return None
        found = (words[word] for word in process.cmdline() if word in words)
        return next(found, programs.get(process.name()))
    except psutil.Error:
        return None
