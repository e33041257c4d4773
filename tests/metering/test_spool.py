"""The disk spool: nothing that was appended is lost, whatever dies and in whatever order."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest
from gateway.metering.spool import Spool, SpoolFull
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.configuration import PROJECT_DIR
from gateway.metering import spool as spool_module

MEGABYTE = 1 << 20


class Away(Exception):
    """Valkey cannot be reached."""


class Sink:
    """Takes what is sent, in order; goes away after `calls` calls."""

    def __init__(self, calls: int = 10**9) -> None:
        self.received: list[bytes] = []
        self.calls = calls

    async def send(self, payloads: list[bytes]) -> None:
        if self.calls <= 0:
            raise Away
        self.calls -= 1
        self.received += payloads


async def test_what_was_appended_is_sent_in_order_and_removed(tmp_path: Path) -> None:
    spool, sink = Spool(tmp_path, max_bytes=MEGABYTE, segment_bytes=100), Sink()
    payloads = [b"payload %d" % n for n in range(50)]
    for payload in payloads:
        spool.append(payload)

    assert await spool.replay(sink.send) == 50
    assert sink.received == payloads
    assert spool.size == 0
    assert await spool.replay(sink.send) == 0


async def test_what_could_not_be_sent_stays(tmp_path: Path) -> None:
    spool, sink = Spool(tmp_path, max_bytes=MEGABYTE, segment_bytes=1), Sink(calls=2)
    for n in range(5):
        spool.append(b"%d" % n)

    with pytest.raises(Away):
        await spool.replay(sink.send)
    sink.calls = 99
    await spool.replay(sink.send)

    assert sink.received == [b"0", b"1", b"2", b"3", b"4"]


async def test_bytes_of_any_kind_and_length_come_back_as_they_were(tmp_path: Path) -> None:
    spool, sink = Spool(tmp_path, max_bytes=16 * MEGABYTE), Sink()
    payloads = [b"", b"\n", b"\0" * 9, os.urandom(5000), b"x" * (3 * MEGABYTE), b"end"]
    for payload in payloads:
        spool.append(payload)

    await spool.replay(sink.send)

    assert sink.received == payloads


async def test_records_appended_during_a_replay_are_not_lost(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=MEGABYTE)
    received: list[bytes] = []

    async def send(payloads: list[bytes]) -> None:
        if not received:
            spool.append(b"later")
        received.extend(payloads)

    spool.append(b"first")
    await spool.replay(send)
    await spool.replay(send)

    assert received == [b"first", b"later"]


async def test_a_second_replay_beside_a_running_one_does_nothing(tmp_path: Path) -> None:
    spool, sink = Spool(tmp_path, max_bytes=MEGABYTE), Sink()
    spool.append(b"once")

    counts = await asyncio.gather(spool.replay(sink.send), spool.replay(sink.send))

    assert (sorted(counts), sink.received) == ([0, 1], [b"once"])


async def test_a_full_spool_refuses_the_new_and_keeps_the_old(tmp_path: Path) -> None:
    spool, sink = Spool(tmp_path, max_bytes=1000), Sink()
    appended = []
    with pytest.raises(SpoolFull):
        for n in range(1000):
            payload = b"%03d" % n
            spool.append(payload)
            appended.append(payload)

    assert spool.full
    assert 900 < spool.size <= 1000
    await spool.replay(sink.send)
    assert sink.received == appended
    assert not spool.full


def test_a_spool_is_called_full_while_work_under_way_still_has_room(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=1000)
    while not spool.full:
        spool.append(b"x" * 20)

    spool.append(b"the end of a request that began before")


def test_the_bound_holds_for_all_processes_together(tmp_path: Path) -> None:
    spools = [Spool(tmp_path, max_bytes=1000) for _ in range(3)]
    refused = 0
    for _ in range(40):
        for spool in spools:
            try:
                spool.append(b"x" * 20)
            except SpoolFull:
                refused += 1

    assert refused > 0
    assert sum(file.stat().st_size for file in tmp_path.glob("*.spool")) <= 1000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_full_spool(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spool = Spool(tmp_path, max_bytes=MEGABYTE)
    spool.append(b"fits")
    assert spool._segment is not None
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, spool._segment.descriptor)
    os.close(full)

    with pytest.raises(SpoolFull, match="disk"):
        spool.append(b"does not")
    assert spool.full


def test_a_living_process_keeps_its_records_and_a_dead_one_leaves_them(tmp_path: Path) -> None:
    owner, other, sink = Spool(tmp_path, max_bytes=MEGABYTE), Spool(tmp_path, max_bytes=MEGABYTE), Sink()
    owner.append(b"mine")

    assert asyncio.run(other.replay(sink.send)) == 0
    owner.close()
    assert asyncio.run(other.replay(sink.send)) == 1
    assert sink.received == [b"mine"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("tail", [b"\0", b"\0\0\0\x09abc", b"\0" * 64, b"\xff" * 100])
def test_a_torn_end_is_kept_aside_and_costs_nothing_before_it(tmp_path: Path, tail: bytes) -> None:
    dead, sink = Spool(tmp_path, max_bytes=MEGABYTE), Sink()
    dead.append(b"whole")
    dead.close()
    (segment,) = tmp_path.glob("*.spool")
    with segment.open("ab") as file:
        file.write(tail)

    assert asyncio.run(Spool(tmp_path, max_bytes=MEGABYTE).replay(sink.send)) == 1

    assert sink.received == [b"whole"]
    (kept,) = tmp_path.iterdir()
    assert (kept.suffix, kept.read_bytes()) == (".damaged", tail)


WRITER = """
import sys
from pathlib import Path
from gateway.metering.spool import Spool
spool = Spool(Path(sys.argv[1]), max_bytes=1 << 30, segment_bytes=2000)
for n in range(10 ** 9):
    spool.append(b"%s-%d" % (sys.argv[2].encode(), n))
    print(n, flush=True)
"""


def test_a_killed_process_leaves_all_that_it_said_was_written(tmp_path: Path) -> None:
    sink = Sink()
    told: list[bytes] = []
    for name in ("a", "b", "c"):
        command = [sys.executable, "-c", WRITER, str(tmp_path), name]
        with subprocess.Popen(command, cwd=PROJECT_DIR, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None
            for _ in range(300):
                told.append(f"{name}-{int(writer.stdout.readline())}".encode())
            writer.kill()
            told += [f"{name}-{int(line)}".encode() for line in writer.stdout if line.endswith(b"\n")]

    asyncio.run(Spool(tmp_path, max_bytes=MEGABYTE).replay(sink.send))

    assert set(told) <= set(sink.received)
    assert len(sink.received) == len(set(sink.received))
    assert sink.received == sorted(sink.received, key=lambda one: (one[:1], int(one[2:])))


def test_the_data_plane_may_import_it_without_django() -> None:
    code = "import sys, gateway.metering.spool, gateway.metering.event; assert 'django' not in sys.modules"

    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_DIR).returncode == 0


def test_an_append_takes_less_than_a_hundred_microseconds(tmp_path: Path) -> None:
    spool, payload = Spool(tmp_path, max_bytes=1 << 30), b"x" * 700
    spool.append(payload)

    began = time.process_time()
    for _ in range(2000):
        spool.append(payload)

    assert (time.process_time() - began) / 2000 < 100e-6


async def test_a_replay_lets_the_loop_breathe(tmp_path: Path) -> None:
    spool = Spool(tmp_path, max_bytes=1 << 30)
    for _ in range(20_000):
        spool.append(b"x" * 700)
    lags: list[float] = []

    async def heartbeat() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append(time.perf_counter() - began - 0.001)

    beating = asyncio.create_task(heartbeat())
    await spool.replay(Sink().send)
    beating.cancel()

    assert len(lags) > 20
    assert sorted(lags)[len(lags) // 2] < 0.02


class Interleaving(RuleBasedStateMachine):
    """Three processes on one folder: they append, replay, fail to, crash with a torn record, start again."""

    who = st.integers(0, 2)

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.folder = Path(self.directory.name)
        self.loop = asyncio.new_event_loop()
        self.spools = [self.started() for _ in range(3)]
        self.sink = Sink()
        self.appended: list[bytes] = []

    def started(self) -> Spool:
        return Spool(self.folder, max_bytes=2000, segment_bytes=60)

    @rule(who=who, length=st.integers(0, 100))
    def append(self, who: int, length: int) -> None:
        payload = b"%d:" % len(self.appended) + b"x" * length
        try:
            self.spools[who].append(payload)
        except SpoolFull:
            return
        self.appended.append(payload)

    @rule(who=who, calls=st.integers(0, 4))
    def replay(self, who: int, calls: int) -> None:
        self.sink.calls = calls
        try:
            self.loop.run_until_complete(self.spools[who].replay(self.sink.send))
        except Away:
            return

    @rule(who=who, torn=st.binary(max_size=12))
    def crash(self, who: int, torn: bytes) -> None:
        segment = self.spools[who]._segment
        if segment is not None and torn:
            os.write(segment.descriptor, torn)
        self.spools[who].close()
        self.spools[who] = self.started()

    @precondition(lambda self: self.appended)
    @rule(who=who)
    def replay_one_batch_and_crash(self, who: int) -> None:
        self.replay(who, 1)
        self.crash(who, b"")

    @invariant()
    def nothing_is_made_up(self) -> None:
        assert set(self.sink.received) <= set(self.appended)

    @invariant()
    def the_bound_holds(self) -> None:
        assert sum(file.stat().st_size for file in self.folder.glob("*.spool")) <= 2000 + 12 * 100

    def teardown(self) -> None:
        for who in range(3):
            self.crash(who, b"")
        self.replay(0, 10**9)
        assert set(self.sink.received) == set(self.appended)
        assert not list(self.folder.glob("*.spool"))
        assert not list(self.folder.glob("*.lock"))
        self.loop.close()
        self.directory.cleanup()


TestAnyInterleaving = Interleaving.TestCase
TestAnyInterleaving.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_the_suffixes_are_those_that_these_tests_look_for() -> None:
    assert (spool_module.SEGMENT, spool_module.LOCK, spool_module.DAMAGED) == (".spool", ".lock", ".damaged")
