"""One foreground process that starts everything in order, keeps it alive and ends it in order."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

from gateway.gate import Gate
from gateway.supervisor.child import Child, describe
from gateway.supervisor.problem import StartProblem
from gateway.supervisor.program import Program, last_lines
from gateway.supervisor.signals import STOP, Signals

STORES_PATIENCE = 120.0  # a store may have to read a long journal first
JOB_PATIENCE = 3600.0  # a migration of many rows
FRONT_HEAD_START = 5.0
DEATHS_AT_START = 5
HOUSEKEEPING = 60.0
LONGEST_LOG = 50_000_000
POLL = 0.02
HURRIED = 1.0  # seconds a child gets when the operator asked twice


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What to run: the `stores` together, then the `job` to its end, then `front` until it `answers`, then
    the `services`.

    Job and front are started at once, since their imports take long, and held at their gates.
    """

    make_stores: Callable[[], None]
    stores: Sequence[Program]
    job: Program
    job_gate: Gate
    front: Sequence[Program]
    front_gate: Gate
    services: Sequence[Program]
    answers: Callable[[], bool]


class StopRequested(Exception):
    """A stop signal came; the stack is to be ended in order."""


class Supervisor:
    def __init__(self, plan: Plan, *, signals: Signals, say: Callable[[str], None]) -> None:
        self._plan = plan
        self._signals = signals
        self._say = say
        self._children: list[Child] = []
        self._up = False
        self._housekeeping_due = time.monotonic() + HOUSEKEEPING

    def run(self, *, on_ready: Callable[[], None], on_stop: Callable[[], None]) -> None:
        """Run the plan until a stop signal; raise `StartProblem` if it cannot come up. Leaves no process."""
        try:
            job = Child(self._plan.job, once=True)
            self._start([job])
            self._start(Child(program) for program in self._plan.front)
            self._plan.make_stores()
            self._start_stores()
            self._finish(job)
            self._start_services()
            self._up = True
            on_ready()
            while True:
                self._wait(HOUSEKEEPING)
        except StopRequested:
            self._say("Stopping (again Ctrl-C: at once)")
        finally:
            on_stop()
            self._stop()

    def _start_stores(self) -> None:
        stores = [Child(program) for program in self._plan.stores]
        self._start(stores)
        if not self._wait_until(lambda: all(store.program.ready() for store in stores), STORES_PATIENCE):
            slow = ", ".join(store.program.name for store in stores if not store.program.ready())
            raise StartProblem(f"{slow} did not become ready in {STORES_PATIENCE:.0f} s: see {_logs(stores)}")

    def _finish(self, job: Child) -> None:
        program = job.program
        self._plan.job_gate.open()
        if not self._wait_until(job.gone, JOB_PATIENCE):
            raise StartProblem(_told(f"{program.name} did not end in {JOB_PATIENCE:.0f} s", program))
        job.bury()
        self._children.remove(job)
        if job.status:
            raise StartProblem(_told(f"{program.name} {describe(job.status)}", program))

    def _start_services(self) -> None:
        self._plan.front_gate.open()
        answering = self._wait_until(self._plan.answers, FRONT_HEAD_START)
        self._start(Child(program) for program in self._plan.services)
        while not answering:
            answering = self._wait_until(self._plan.answers, HOUSEKEEPING)

    def _start(self, children: Iterable[Child]) -> None:
        for child in children:
            self._children.append(child)
            child.start()

    def _wait_until(self, condition: Callable[[], bool], seconds: float) -> bool:
        """Keep the children alive until `condition` holds (True) or the time is over (False)."""
        deadline = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > deadline:
                return False
            self._wait(POLL)
        return True

    def _wait(self, seconds: float) -> None:
        """Sleep until something happens, then revive the dead; raise `StopRequested` on a stop signal."""
        due = [child.due_in for child in self._children if not child.once]
        came = self._signals.wait(min([seconds, *(left for left in due if left is not None)]))
        if came & STOP:
            raise StopRequested
        for child in self._children:
            if child.once:
                continue
            if child.bury():
                self._report_death(child)
            if child.due_in == 0:
                child.start()
        if time.monotonic() > self._housekeeping_due:
            self._cut_logs()

    def _report_death(self, child: Child) -> None:
        program = child.program
        if not self._up and child.deaths >= DEATHS_AT_START:
            raise StartProblem(_told(f"{program.name} does not start, it {describe(child.status)}", program))
        self._say(f"{program.name} {describe(child.status)}; starting it again (log: {program.log})")

    def _cut_logs(self) -> None:
        """Keep one older part of a long log. The children append, so cutting the file is safe."""
        self._housekeeping_due = time.monotonic() + HOUSEKEEPING
        for log in {child.program.log for child in self._children}:
            if log.exists() and log.stat().st_size > LONGEST_LOG:
                shutil.copyfile(log, log.with_name(log.name + ".1"))
                with open(log, "ab") as file:
                    file.truncate(0)

    def _stop(self) -> None:
        """End rank after rank; a rank that is quick leaves its time to the next."""
        began = time.monotonic()
        hurry = False
        ordered = sorted(self._children, key=lambda child: child.program.stop_rank)
        for _, group in groupby(ordered, key=lambda child: child.program.stop_rank):
            hurry = self._stop_rank(list(group), began=began, hurry=hurry)
        self._children.clear()

    def _stop_rank(self, rank: Sequence[Child], *, began: float, hurry: bool) -> bool:
        """End these children by their deadline; whether the operator is in a hurry (another stop signal)."""
        deadline = began + max(child.program.stop_by for child in rank)
        hurried_deadline = time.monotonic() + HURRIED
        for child in rank:
            child.ask_to_stop()
        while not all(child.gone() for child in rank):
            hurry = bool(self._signals.wait(POLL) & STOP) or hurry
            if time.monotonic() > (min(deadline, hurried_deadline) if hurry else deadline):
                break
        for child in rank:
            child.finish()
        return hurry


def _told(what: str, program: Program) -> str:
    return "\n".join([f"{what} (log: {program.log}):", *(f"  {line}" for line in last_lines(program.log))])


def _logs(children: Iterable[Child]) -> str:
    return ", ".join(str(child.program.log) for child in children)
