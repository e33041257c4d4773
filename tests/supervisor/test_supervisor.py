"""The supervisor by itself, with small scripted children."""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from gateway.gate import Gate
from gateway.supervisor.family import Marked, members
from gateway.supervisor.problem import StartProblem
from gateway.supervisor.program import Program
from gateway.supervisor.signals import Signals
from gateway.supervisor.supervisor import Plan, Supervisor
from tests.stack import alive

SLEEP = "import time; time.sleep(60)"
STUBBORN = (
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); open('up', 'w'); time.sleep(60)"
)
WITH_A_CHILD = "import subprocess, sys; subprocess.run([sys.executable, '-c', 'import time; time.sleep(60)'])"


@pytest.fixture
def signals() -> Iterator[Signals]:
    box = Signals()
    yield box
    box.close()


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def run(tmp_path: Path, signals: Signals, said: list[str]) -> Iterator[Callable[..., None]]:
    """Runs a plan of the given scripts until `on_ready` has a stop signal sent."""

    def run(*, on_ready: Callable[[], None] = lambda: _stop_us(), **parts: str) -> None:
        plan = _plan(tmp_path, **parts)
        Supervisor(plan, signals=signals, say=said.append).run(on_ready=on_ready, on_stop=lambda: None)

    yield run
    left = [process for name in ("job", "front", "service") for process in members(Marked(tmp_path, name))]
    assert left == []


def test_a_job_that_fails_ends_everything_and_shows_the_end_of_its_log(run: Callable[..., None]) -> None:
    with pytest.raises(StartProblem) as problem:
        run(job="print('the reason'); raise SystemExit(3)", front=SLEEP)

    first, *log = str(problem.value).splitlines()
    assert "job ended with status 3" in first
    assert log == ["  the reason"]


def test_a_front_that_never_starts_is_given_up(run: Callable[..., None], said: list[str]) -> None:
    with pytest.raises(StartProblem, match="front does not start, it ended with status 1"):
        run(front="raise SystemExit(1)")

    assert len(said) == 4


def test_a_child_deaf_to_sigterm_is_killed_when_its_time_is_over(
    run: Callable[..., None], tmp_path: Path
) -> None:
    began = time.monotonic()

    run(service=STUBBORN, on_ready=lambda: _stop_when((tmp_path / "up").exists))

    assert 1 <= time.monotonic() - began < 4


def test_a_killed_childs_own_children_end_before_it_is_started_again(
    run: Callable[..., None], tmp_path: Path
) -> None:
    seen: list[list[psutil.Process]] = []

    def kill_the_elder() -> None:
        _wait_for(lambda: len(members(Marked(tmp_path, "service"))) == 2)
        family = members(Marked(tmp_path, "service"))
        seen.append(family)
        min(family, key=lambda process: process.create_time()).kill()
        threading.Timer(1.0, _stop_us).start()

    run(service=WITH_A_CHILD, on_ready=kill_the_elder)

    assert alive(seen[0]) == []


def test_the_front_waits_at_its_gate_until_the_job_is_done(run: Callable[..., None], tmp_path: Path) -> None:
    wait = "import os; os.read(int(os.environ['GATEWAY_GATE_FD']), 1)"
    run(
        job="import time; time.sleep(0.3); open('job done', 'w')",
        front=f"{wait}\nassert os.path.exists('job done'); open('served', 'w')\n{SLEEP}",
        answers="served",
    )

    assert (tmp_path / "served").exists()


def _plan(
    folder: Path, *, job: str = "", front: str = SLEEP, service: str = SLEEP, answers: str = ""
) -> Plan:
    job_gate, front_gate = Gate(), Gate()
    held = {
        "descriptors": (front_gate.descriptor,),
        "environment": {**os.environ, "GATEWAY_GATE_FD": str(front_gate.descriptor)},
    }
    return Plan(
        make_stores=lambda: None,
        stores=(),
        job=_program("job", job, folder),
        job_gate=job_gate,
        front=[replace(_program("front", front, folder), **held)],
        front_gate=front_gate,
        services=[_program("service", service, folder)],
        answers=(folder / answers).exists if answers else lambda: front == SLEEP,
    )


def _program(name: str, script: str, folder: Path) -> Program:
    return Program(
        name=name,
        command=(sys.executable, "-c", script),
        stack=folder,
        folder=folder,
        log=folder / f"{name}.log",
        environment=os.environ,
        stop_by=1.0,
    )


def _stop_us() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def _stop_when(condition: Callable[[], bool]) -> None:
    _wait_for(condition)
    _stop_us()


def _wait_for(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
