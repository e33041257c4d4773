"""Requests that come all the time, JSON and streams in turn, each with token figures and words of its own."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import itertools
import random
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType

from tests import upstream as provider
from tests.data_plane import wire
from tests.data_plane.house import SCRIPTED, Tenant, body
from tests.data_plane.wire import Answer
from tests.event_loop_thread import EventLoopThread
from tests.outages.site import Site, until
from tests.upstream import Pause, Received, reply, streamed

EVENT_SECONDS = 0.03


@dataclass
class Asked:
    """One request of the load. `tokens` in the order of the ledger's columns."""

    script: str
    stream: bool
    tokens: tuple[int, ...]
    word: str
    at: float = field(default_factory=time.monotonic)
    answer: Answer | None = None
    problem: str = ""

    @property
    def request_id(self) -> str | None:
        return self.answer.header("request-id") if self.answer else None


class Load:
    """`rate` requests a second from `__enter__` to `__exit__`, then waits for the answers."""

    def __init__(self, site: Site, tenant: Tenant, *, port: int | None = None, rate: float = 20) -> None:
        self._site = site
        self._port = port or site.house.port
        self._rate = rate
        self._numbers = itertools.count(1)
        self._random = random.Random(7)
        self.tenant = tenant
        self.asked: list[Asked] = []

    def __enter__(self) -> Load:
        self._thread = EventLoopThread("load")
        self._going = True
        self._generator: concurrent.futures.Future[None] = asyncio.run_coroutine_threadsafe(
            self._generate(), self._thread.loop
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._going = False
        try:
            self._generator.result(30)
        finally:
            self._thread.stop()

    async def _generate(self) -> None:
        tasks = set()
        due = time.monotonic()
        while self._going:
            tasks.add(asyncio.create_task(self._ask(self._next())))
            due += 1 / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*tasks)

    def _next(self) -> Asked:
        number = next(self._numbers)
        tokens = tuple(self._random.randint(1, 500) for _ in range(5))
        stream, word = number % 2 == 0, f"word{number}of{id(self)}"
        script = self._site.house.upstream.script(
            *([*_streamed(word, tokens)] if stream else [Pause(0.02), *_whole(word, tokens)])
        )
        asked = Asked(script, stream, tokens, word)
        self.asked.append(asked)
        return asked

    async def _ask(self, asked: Asked) -> None:
        raw = self._site.house.message(body(SCRIPTED, asked.script, stream=asked.stream), key=self.tenant.key)
        try:
            asked.answer = await wire.ask(self._port, raw, 20)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as problem:
            asked.problem = repr(problem)

    # --- What became of it ---

    def failures(self) -> Counter[str]:
        """Everything but whole answers with the own word in them."""
        return Counter(_failure(asked) for asked in self.asked if _failure(asked))

    def added(self) -> list[float]:
        """Seconds that each answer took beyond what the provider needed for it, the longest last."""
        calls = self.calls()
        return sorted(
            asked.answer.took - _provider_seconds(calls[asked.script])
            for asked in self.asked
            if asked.answer is not None and asked.script in calls
        )

    def calls(self) -> dict[str, Received]:
        """The provider's calls by script; each was asked once at most."""
        wanted = {asked.script for asked in self.asked}
        found: dict[str, Received] = {}
        for received in self._site.house.upstream.log:
            if received.script in wanted:
                assert received.script not in found, "a call came twice"
                found[received.script] = received
        return found

    def wait_for_ledger(self, within: float = 20) -> float:
        """Until the ledger holds a row for each call; the seconds it took from now."""
        expected = len(self.calls())
        took = 0.0
        with contextlib.suppress(AssertionError):
            took = until(lambda: len(self._site.rows(self.tenant.key_id)) >= expected, within)
        time.sleep(0.3)  # a doubled row would come now
        return took

    def assert_ledger_is_exact(self, *, lost_at_most: set[str] | frozenset[str] = frozenset()) -> None:
        """One row per provider call with the provider's own figures; rollups with the same sums."""
        calls = self.calls()
        expected = {asked.request_id: asked.tokens for asked in self.asked if asked.script in calls}
        rows = self._site.rows(self.tenant.key_id)
        found = {row.request_id: row.tokens for row in rows}
        lost = {str(one) for one in expected.keys() - found.keys()} - lost_at_most
        assert not lost, f"{len(lost)} of {len(expected)} calls are not in the ledger: {sorted(lost)[:5]}"
        assert len(rows) == len(found), f"{len(rows) - len(found)} calls are in the ledger twice"
        assert found == {key: expected[key] for key in found}
        assert {row.source for row in rows} == {"reported"}
        sums = tuple(sum(tokens[n] for tokens in found.values()) for n in range(5))
        assert self._site.rolled_up(self.tenant.key_id) == (len(found), *sums)


def percentile(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(len(values) * share))]


def _whole(word: str, tokens: tuple[int, ...]) -> provider.Script:
    return reply(200, provider.message(word, usage=_usage(tokens)))


def _streamed(word: str, tokens: tuple[int, ...]) -> provider.Script:
    events = provider.events([word[:3], word[3:]], _usage(tokens))
    return streamed(provider.frames(events), delay=EVENT_SECONDS)


def _usage(tokens: tuple[int, ...]) -> dict[str, object]:
    plain, read, short, long, output = tokens
    return {
        "input_tokens": plain,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": short + long,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": output,
    }


def _failure(asked: Asked) -> str:
    answer = asked.answer
    if answer is None:
        return asked.problem or "no answer"
    if answer.status != 200:
        return f"{answer.status} {answer.body[:120]!r}"
    if asked.stream:
        whole = answer.body.count(b"event: message_stop") == 1 and b"event: error" not in answer.body
        return "" if whole and asked.word[3:].encode() in answer.body else f"stream {answer.body[-200:]!r}"
    return "" if asked.word.encode() in answer.body else "another answer"


def _provider_seconds(call: Received) -> float:
    return (call.finished_at or call.at) - call.at
