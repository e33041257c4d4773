"""The real stack as a plan: which programs, with what in their environment, ending in which order."""

from __future__ import annotations

import os
import socket
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gateway.configuration import PROJECT_DIR
from gateway.gate import VARIABLE, Gate
from gateway.supervisor.postgres import Postgres
from gateway.supervisor.program import Program
from gateway.supervisor.supervisor import Plan
from gateway.supervisor.valkey import Valkey

# One of them may be busy with the items of batches, another with those that providers carry.
WORKER_PROCESSES = 4

# Seconds that each may take to end, one after the other, before it is killed. They make 8.8
# with five for streams; a busy machine needs the tenth for the killing.
WEB_GRACE = 1.0
WORKERS_GRACE, DRAIN_GRACE, VALKEY_GRACE, POSTGRES_GRACE = 0.8, 0.8, 0.4, 0.8


@dataclass(frozen=True, kw_only=True)
class Stack:
    """What the plan is made from; a store that is None runs elsewhere."""

    data_dir: Path
    environment: Mapping[str, str]
    postgres: Postgres | None
    valkey: Valkey | None
    listener: socket.socket
    web_processes: int
    drain_seconds: float

    def plan(self, answers: Callable[[], bool]) -> Plan:
        job_gate, front_gate = Gate(), Gate()
        return Plan(
            make_stores=self._make_database,
            stores=self._stores(),
            job=self._prepare(job_gate),
            job_gate=job_gate,
            front=[self._web(name, front_gate) for name in self._web_names()],
            front_gate=front_gate,
            services=(self._worker(), self._beat(), self._drain()),
            answers=answers,
        )

    def _make_database(self) -> None:
        if self.postgres is not None:
            self.postgres.initialize()

    def _prepare(self, gate: Gate) -> Program:
        extra = {VARIABLE: str(gate.descriptor)}
        return self._python("prepare", "manage.py", "prepare", extra=extra, descriptors=(gate.descriptor,))

    def _stores(self) -> list[Program]:
        by = self.drain_seconds + WEB_GRACE + WORKERS_GRACE + DRAIN_GRACE + VALKEY_GRACE
        stores = []
        if self.postgres is not None:
            place = self.data_dir / "logs" / "postgres.log"
            last = by + POSTGRES_GRACE
            environment = _bare(self.environment)
            stores.append(
                self.postgres.program(
                    stack=self.data_dir, log=place, environment=environment, stop_rank=4, stop_by=last
                )
            )
        if self.valkey is not None:
            place = self.data_dir / "logs" / "valkey.log"
            environment = _bare(self.environment)
            stores.append(
                self.valkey.program(
                    stack=self.data_dir, log=place, environment=environment, stop_rank=3, stop_by=by
                )
            )
        return stores

    def _web_names(self) -> list[str]:
        count = self.web_processes
        return ["web"] if count == 1 else [f"web-{number}" for number in range(1, count + 1)]

    def _web(self, name: str, gate: Gate) -> Program:
        listener = self.listener.fileno()
        return self._python(
            name,
            "-m",
            "gateway.warm_server",
            extra={"GATEWAY_LISTEN_FD": str(listener), VARIABLE: str(gate.descriptor)},
            descriptors=(listener, gate.descriptor),
            stop_by=self.drain_seconds + WEB_GRACE,
        )

    def _worker(self) -> Program:
        options = (
            f"--concurrency={WORKER_PROCESSES}",
            "--without-gossip",
            "--without-mingle",
            "--loglevel=INFO",
        )
        by = self.drain_seconds + WEB_GRACE + WORKERS_GRACE
        return self._python(
            "worker", "-m", "celery", "-A", "gateway", "worker", *options, stop_rank=1, stop_by=by
        )

    def _beat(self) -> Program:
        schedule = self.data_dir / "run" / "beat-schedule"
        options = (f"--schedule={schedule}", "--pidfile=", "--loglevel=INFO")
        by = self.drain_seconds + WEB_GRACE + WORKERS_GRACE
        return self._python(
            "beat", "-m", "celery", "-A", "gateway", "beat", *options, stop_rank=1, stop_by=by
        )

    def _drain(self) -> Program:
        by = self.drain_seconds + WEB_GRACE + WORKERS_GRACE + DRAIN_GRACE
        return self._python("drain", "manage.py", "drain", stop_rank=2, stop_by=by)

    def _python(
        self,
        name: str,
        *arguments: str,
        extra: Mapping[str, str] | None = None,
        descriptors: tuple[int, ...] = (),
        stop_rank: int = 0,
        stop_by: float = 1.0,
    ) -> Program:
        return Program(
            name=name,
            command=(sys.executable, *arguments),
            stack=self.data_dir,
            folder=PROJECT_DIR,
            log=self.data_dir / "logs" / f"{name}.log",
            environment={**self.environment, **(extra or {})},
            descriptors=descriptors,
            stop_rank=stop_rank,
            stop_by=stop_by,
        )


def _bare(environment: Mapping[str, str]) -> dict[str, str]:
    """A store needs no secrets of ours."""
    return {name: environment[name] for name in ("PATH", "LANG", "TZ") if name in environment} | {
        "HOME": os.sep
    }
