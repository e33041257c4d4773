"""The journal: nothing that it took is lost, whatever dies and in whatever order, and nothing is sent without need."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

import msgspec
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gateway.configuration import PROJECT_DIR
from gateway.metering import event as ledger
from gateway.metering import journal as journal_module
from gateway.metering.journal import Journal, JournalFull, ids_of
from tests.metering.ledger import usage_event

MEGABYTE = 1 << 20


class Away(Exception):
    """Valkey cannot be reached."""


class Sink:
    """Takes what is sent, in order; goes away after `calls` calls."""

    def __init__(self, calls: int = 10**9) -> None:
        self.received: list[bytes] = []
        self.calls = calls

    async def send(self, events: list[bytes]) -> None:
        if self.calls <= 0:
            raise Away
        self.calls -= 1
        self.received += events


def journal_in(folder: Path, *, max_bytes: int = MEGABYTE, segment_bytes: int = MEGABYTE) -> Journal:
    return Journal(folder, max_bytes=max_bytes, segment_bytes=segment_bytes)


def settled(journal: Journal, event: bytes, *, sent: bool = False) -> uuid.UUID:
    """An attempt that was opened and settled; Valkey has its event if it was `sent`."""
    attempt = uuid.uuid4()
    journal.opened(attempt, b"opened " + event)
    journal.settled(attempt, event)
    if not sent:
        assert journal.not_sent(attempt, event)
    return attempt


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.journal"))


async def replayed(journal: Journal) -> list[bytes]:
    sink = Sink()
    await journal.replay(sink.send)
    return sink.received


async def taken_over(folder: Path) -> tuple[Journal, list[bytes]]:
    """Another process, and what it sends of what the dead left."""
    heir = journal_in(folder)
    await heir.adopt()
    return heir, await replayed(heir)


async def test_what_valkey_has_is_not_sent_again(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    settled(journal, b"has it", sent=True)
    settled(journal, b"has it not")

    assert await replayed(journal) == [b"has it not"]
    assert await replayed(journal) == []


async def test_what_waits_is_sent_in_order(tmp_path: Path) -> None:
    journal = journal_in(tmp_path, segment_bytes=200)
    events = [b"event %d" % n for n in range(50)]
    for event in events:
        settled(journal, event)

    assert await replayed(journal) == events


async def test_what_could_not_be_sent_still_waits(tmp_path: Path) -> None:
    journal, sink = journal_in(tmp_path, segment_bytes=1), Sink(calls=2)
    for n in range(5):
        settled(journal, b"%d" % n)

    with pytest.raises(Away):
        await journal.replay(sink.send)
    sink.calls = 99
    await journal.replay(sink.send)

    assert sink.received == [b"0", b"1", b"2", b"3", b"4"]


async def test_it_goes_when_the_ledger_has_everything(tmp_path: Path) -> None:
    journal = journal_in(tmp_path, segment_bytes=100)
    attempts = [settled(journal, b"event %d" % n, sent=True) for n in range(20)]
    assert len(segments(tmp_path)) > 10 and journal.unacknowledged == 20

    journal.acknowledged(ids_of(attempts))
    journal.acknowledged(ids_of(attempts))  # a drain may say so twice
    journal.close()

    assert (segments(tmp_path), journal.unacknowledged) == ([], 0)


async def test_an_attempt_under_way_keeps_its_segment(tmp_path: Path) -> None:
    journal = journal_in(tmp_path, segment_bytes=1)
    attempt = uuid.uuid4()
    journal.opened(attempt, b"what is reserved")
    journal.acknowledged(ids_of([settled(journal, b"another", sent=True)]))

    assert (len(segments(tmp_path)), journal.open_attempts) == (2, 1)  # and the one that is written to
    journal.settled(attempt, b"what it used")
    journal.acknowledged(ids_of([attempt]))
    assert (len(segments(tmp_path)), journal.open_attempts) == (1, 0)


async def test_what_is_settled_is_written_with_what_comes_next_or_when_valkey_may_not_have_it(
    tmp_path: Path,
) -> None:
    journal = journal_in(tmp_path)
    settled(journal, b"its first words", sent=True)
    assert b"its first words" in segments(tmp_path)[0].read_bytes()  # as it was opened
    (written,) = (path.stat().st_size for path in segments(tmp_path))

    attempt = settled(journal, b"sent", sent=True)
    assert journal.not_sent(attempt, b"sent")

    assert segments(tmp_path)[0].read_bytes().endswith(b"sent")
    assert segments(tmp_path)[0].stat().st_size > written


async def test_an_attempt_whose_process_died_is_closed_as_it_was_opened(tmp_path: Path) -> None:
    dead = journal_in(tmp_path, segment_bytes=60)
    dead.opened(uuid.uuid4(), b"reserved for it")
    settled(dead, b"its own figures", sent=True)
    dead.close()

    _, sent = await taken_over(tmp_path)

    assert sorted(sent) == [b"its own figures", b"reserved for it"]


async def test_the_heir_is_told_for_the_dead_and_leaves_nothing(tmp_path: Path) -> None:
    dead = journal_in(tmp_path)
    attempt, died = settled(dead, b"settled", sent=True), uuid.uuid4()
    dead.opened(died, b"reserved")
    dead.close()

    heir, _ = await taken_over(tmp_path)
    heir.acknowledged(ids_of([attempt, died]))
    heir.close()

    assert list(tmp_path.iterdir()) == []


async def test_nobody_takes_from_the_living(tmp_path: Path) -> None:
    living = journal_in(tmp_path)
    settled(living, b"mine")

    _, sent = await taken_over(tmp_path)

    assert sent == []


async def test_one_of_several_heirs_takes_over(tmp_path: Path) -> None:
    dead = journal_in(tmp_path)
    settled(dead, b"once")
    dead.close()

    heirs = [journal_in(tmp_path) for _ in range(3)]
    for heir in heirs:
        await heir.adopt()

    assert [event for heir in heirs for event in await replayed(heir)] == [b"once"]


async def test_what_valkey_lost_is_sent_again(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    acknowledged = settled(journal, b"in the ledger", sent=True)
    settled(journal, b"lost", sent=True)
    journal.acknowledged(ids_of([acknowledged]))

    journal.lost_before(time.monotonic() - 10)
    assert await replayed(journal) == []
    journal.lost_before(time.monotonic() + 1)
    assert await replayed(journal) == [b"lost"]


async def test_a_drain_that_never_acknowledges_does_not_make_it_send_for_ever(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    settled(journal, b"event", sent=True)

    sent = []
    for _ in range(20):
        journal.lost_before(time.monotonic() + 1)
        sent += await replayed(journal)

    assert sent == [b"event"] * journal_module.MOST_REPLAYS
    assert journal.unacknowledged == 0


async def test_an_attempt_that_is_open_for_long_moves_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "CARRY_AFTER", 0.0)
    journal = journal_in(tmp_path, segment_bytes=1)
    attempt = uuid.uuid4()
    journal.opened(attempt, b"a long stream")
    (first,) = segments(tmp_path)
    settled(journal, b"another", sent=True)

    journal.keep_small()

    assert not first.exists()
    journal.close()
    assert b"a long stream" in (await taken_over(tmp_path))[1]


async def test_beyond_its_bound_it_gives_up_what_valkey_has_and_nothing_else(tmp_path: Path) -> None:
    journal = journal_in(tmp_path, max_bytes=2_000, segment_bytes=300)
    open_attempt = uuid.uuid4()
    journal.opened(open_attempt, b"under way")
    written = 0
    with pytest.raises(JournalFull):
        for _ in range(1_000):
            settled(journal, b"x" * 50, sent=True)
            written += 1
    assert journal.full

    journal._max_bytes = 1_000
    journal.keep_small()

    assert sum(path.stat().st_size for path in segments(tmp_path)) <= 1_000
    assert 0 < journal.unacknowledged < written
    assert journal.open_attempts >= 1


async def test_bytes_of_any_kind_and_length_come_back_as_they_were(tmp_path: Path) -> None:
    journal = journal_in(tmp_path, max_bytes=64 * MEGABYTE)
    events = [b"", b"\n", b"\0" * 9, os.urandom(5000), b"x" * (3 * MEGABYTE), b"end"]
    for event in events:
        settled(journal, event)

    assert await replayed(journal) == events


async def test_events_that_come_during_a_replay_are_not_lost(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    received: list[bytes] = []

    async def send(events: list[bytes]) -> None:
        if not received:
            settled(journal, b"later")
        received.extend(events)

    settled(journal, b"first")
    await journal.replay(send)
    await journal.replay(send)

    assert received == [b"first", b"later"]


async def test_a_second_replay_beside_a_running_one_does_nothing(tmp_path: Path) -> None:
    journal, sink = journal_in(tmp_path), Sink()
    settled(journal, b"once")

    counts = await asyncio.gather(journal.replay(sink.send), journal.replay(sink.send))

    assert (sorted(counts), sink.received) == ([0, 1], [b"once"])


def test_it_is_called_full_while_work_under_way_still_has_room(tmp_path: Path) -> None:
    journal = journal_in(tmp_path, max_bytes=2_000)
    attempt = uuid.uuid4()
    journal.opened(attempt, b"began before")
    while not journal.full:
        settled(journal, b"x" * 10, sent=True)

    journal.settled(attempt, b"the end of what began before")


def test_the_bound_holds_for_all_processes_together(tmp_path: Path) -> None:
    journals = [journal_in(tmp_path, max_bytes=2_000) for _ in range(3)]
    refused = 0
    for _ in range(40):
        for journal in journals:
            try:
                journal.opened(uuid.uuid4(), b"x" * 20)
            except JournalFull:
                refused += 1

    assert refused > 0
    assert sum(path.stat().st_size for path in segments(tmp_path)) <= 2_000


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_is_a_full_journal(tmp_path: Path) -> None:
    journal = journal_in(tmp_path)
    journal.opened(uuid.uuid4(), b"fits")
    assert journal._segment is not None
    full = os.open("/dev/full", os.O_WRONLY)
    os.dup2(full, journal._segment.descriptor)
    os.close(full)

    with pytest.raises(JournalFull, match="disk"):
        journal.opened(uuid.uuid4(), b"does not")
    assert journal.full


@pytest.mark.parametrize("tail", [b"\0", b"\0\0\0\x09abc", b"\0" * 64, b"\xff" * 100])
async def test_a_torn_end_is_kept_aside_and_costs_nothing_before_it(tmp_path: Path, tail: bytes) -> None:
    dead = journal_in(tmp_path)
    settled(dead, b"whole")
    dead.close()
    (segment,) = segments(tmp_path)
    with segment.open("ab") as file:
        file.write(tail)

    _, sent = await taken_over(tmp_path)

    assert sent == [b"whole"]
    (kept,) = tmp_path.glob("*.damaged")
    assert kept.read_bytes() == tail


WRITER = """
import sys, uuid
from pathlib import Path
from gateway.metering.journal import Journal
journal = Journal(Path(sys.argv[1]), max_bytes=1 << 30, segment_bytes=2000)
for n in range(10 ** 9):
    attempt = uuid.uuid4()
    journal.opened(attempt, b"%s-%d-opened" % (sys.argv[2].encode(), n))
    print(f"{n}-opened", flush=True)
    if n % 3:
        event = b"%s-%d-settled" % (sys.argv[2].encode(), n)
        journal.settled(attempt, event)
        assert journal.not_sent(attempt, event)
        print(f"{n}-settled", flush=True)
"""


def test_a_killed_process_leaves_all_that_it_said_was_written(tmp_path: Path) -> None:
    told: dict[str, str] = {}  # by attempt, the last thing that was said of it
    for name in ("a", "b", "c"):
        command = [sys.executable, "-c", WRITER, str(tmp_path), name]
        with subprocess.Popen(command, cwd=PROJECT_DIR, stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout is not None
            lines = [writer.stdout.readline() for _ in range(300)]
            writer.kill()
            lines += [line for line in writer.stdout if line.endswith("\n")]
        for line in lines:
            number, _, state = line.strip().partition("-")
            told[f"{name}-{number}"] = state

    _, sent = asyncio.run(taken_over(tmp_path))

    found = {event.decode().rpartition("-")[0]: event.decode().rpartition("-")[2] for event in sent}
    assert len(found) == len(sent)
    assert {attempt: found.get(attempt) for attempt in told} == {
        attempt: found.get(attempt) if state == "opened" else "settled" for attempt, state in told.items()
    }
    assert set(told) <= set(found)


def test_the_data_plane_may_import_it_without_django() -> None:
    code = "import sys, gateway.metering.journal, gateway.metering.event; assert 'django' not in sys.modules"

    assert subprocess.run([sys.executable, "-c", code], cwd=PROJECT_DIR).returncode == 0


def test_an_attempt_costs_less_than_a_hundred_microseconds(tmp_path: Path) -> None:
    journal, event = journal_in(tmp_path, max_bytes=1 << 30), b"x" * 700
    attempts = [uuid.uuid4() for _ in range(2_000)]

    began = time.process_time()
    for attempt in attempts:
        journal.opened(attempt, event)
        journal.settled(attempt, event)
        journal.acknowledged(attempt.bytes)

    assert (time.process_time() - began) / 2_000 < 100e-6


async def test_a_replay_lets_the_loop_breathe(tmp_path: Path) -> None:
    journal = journal_in(tmp_path, max_bytes=1 << 30)
    for _ in range(20_000):
        settled(journal, b"x" * 700)
    lags: list[float] = []

    async def heartbeat() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(0.001)
            lags.append(time.perf_counter() - began - 0.001)

    beating = asyncio.create_task(heartbeat())
    await journal.replay(Sink().send)
    beating.cancel()

    assert len(lags) > 20
    assert sorted(lags)[len(lags) // 2] < 0.02


class Interleaving(RuleBasedStateMachine):
    """Three processes on one folder: they open, settle, replay, hear, fail to, crash with a torn record, start again.

    `truth` is what was last written of each attempt; in the end the ledger has exactly that.
    """

    who = st.integers(0, 2)

    def __init__(self) -> None:
        super().__init__()
        self.directory = tempfile.TemporaryDirectory()
        self.folder = Path(self.directory.name)
        self.loop = asyncio.new_event_loop()
        self.journals = [self.started() for _ in range(3)]
        self.sink = Sink()
        self.truth: dict[bytes, bytes] = {}
        self.open: list[list[uuid.UUID]] = [[], [], []]
        self.acknowledged: set[bytes] = set()

    def started(self) -> Journal:
        return journal_in(self.folder, max_bytes=4_000, segment_bytes=120)

    @rule(who=who, length=st.integers(0, 100))
    def begin(self, who: int, length: int) -> None:
        attempt = uuid.uuid4()
        try:
            self.journals[who].opened(attempt, attempt.bytes + b"0" + b"x" * length)
        except JournalFull:
            return
        self.open[who].append(attempt)
        self.truth[attempt.bytes] = b"0"

    @precondition(lambda self: any(self.open))
    @rule(who=who, sent=st.booleans())
    def settle(self, who: int, sent: bool) -> None:
        if not self.open[who]:
            return
        attempt = self.open[who].pop(0)
        event = attempt.bytes + b"1"
        try:
            self.journals[who].settled(attempt, event)
        except JournalFull:
            sent = True  # it is on its way to Valkey all the same
        else:
            self.truth[attempt.bytes] = b"1"
        if sent:
            self.truth[attempt.bytes] = b"1"
            self.sink.received.append(event)
        else:
            self.journals[who].not_sent(attempt, event)

    @rule(who=who, calls=st.integers(0, 4))
    def replay(self, who: int, calls: int) -> None:
        self.sink.calls = calls
        try:
            self.loop.run_until_complete(self.journals[who].adopt())
            self.loop.run_until_complete(self.journals[who].replay(self.sink.send))
        except Away:
            return

    @rule(who=who)
    def hear(self, who: int) -> None:
        """The drain has recorded all that was sent."""
        for event in self.sink.received:
            self.journals[who].acknowledged(event[:16])

    @rule(who=who, torn=st.binary(max_size=12))
    def crash(self, who: int, torn: bytes) -> None:
        segment = self.journals[who]._segment
        if segment is not None:
            segment._late.clear()  # what waited for the next write dies with its process
            os.write(segment.descriptor, torn)
        self.journals[who].close()
        self.journals[who] = self.started()
        self.open[who].clear()

    @invariant()
    def nothing_is_made_up(self) -> None:
        assert {event[:16] for event in self.sink.received} <= set(self.truth)

    @invariant()
    def the_bound_holds(self) -> None:
        assert sum(path.stat().st_size for path in segments(self.folder)) <= 4_000 + 12 * 100

    def teardown(self) -> None:
        for who in range(3):
            self.crash(who, b"")
        self.replay(0, 10**9)
        best: dict[bytes, bytes] = {}
        for event in self.sink.received:
            best[event[:16]] = max(best.get(event[:16], b""), event[16:17])
        assert best == self.truth
        self.hear(0)
        self.crash(0, b"")
        assert not segments(self.folder)
        assert not list(self.folder.glob("*.lock"))
        self.loop.close()
        self.directory.cleanup()


TestAnyInterleaving = Interleaving.TestCase
TestAnyInterleaving.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_what_is_sent_again_is_acknowledged_to_whoever_sends_it() -> None:
    written = usage_event(journal="of the dead")

    readdressed = ledger.decode(ledger.addressed(ledger.encode(written), "of the heir"))

    assert readdressed == msgspec.structs.replace(written, journal="of the heir")
    assert ledger.addressed(b"no event", "of the heir") == b"no event"
