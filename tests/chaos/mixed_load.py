"""A mixed load: JSON and streams, relayed and translated, with a spare, failing, left by the client, tried again."""

from __future__ import annotations

import asyncio
import concurrent.futures
import random
import time
from dataclasses import dataclass, field
from types import TracebackType

from tests import openai_provider
from tests import upstream as provider
from tests.chaos.arena import (
    FAULTY,
    RELAYED_MODEL,
    SPARED_MODEL,
    TRANSLATED_MODEL,
    Arena,
    ask_as,
)
from tests.data_plane.house import Tenant
from tests.data_plane.wire import Answer, Wire
from tests.event_loop_thread import EventLoopThread
from tests.upstream import Pause, Received, Script, reply, streamed

RATE = 20.0  # requests a second
WITHIN = 40.0  # seconds for one answer
EVENT_SECONDS = 0.05
WORDS = ["one", " two", " three", " four", " five", " six"]
NOTHING = (0, 0, 0, 0, 0)
AGAIN = (429, 500, 502, 503, 504, 529)  # SDKs ask once more

Tokens = tuple[int, int, int, int, int]


@dataclass
class Kind:
    """`fails`: the first provider answers 529. `left`: the client goes before the end."""

    name: str
    weight: int
    model: str = RELAYED_MODEL
    stream: bool = True
    fails: bool = False
    left: bool = False


KINDS = [
    Kind("JSON", 20, stream=False),
    Kind("stream", 24),
    Kind("translated JSON", 8, TRANSLATED_MODEL, stream=False),
    Kind("translated stream", 12, TRANSLATED_MODEL),
    Kind("left stream", 8, left=True),
    Kind("left JSON", 4, stream=False, left=True),
    Kind("left translated", 4, TRANSLATED_MODEL, left=True),
    Kind("failing JSON", 4, stream=False, fails=True),
    Kind("failing stream", 4, fails=True),
    Kind("spared stream", 8, SPARED_MODEL, fails=True),
    Kind("spared JSON", 4, SPARED_MODEL, stream=False, fails=True),
]


@dataclass
class Asked:
    """One request. `tokens` in the order of the ledger's columns; `port` is the client's own."""

    kind: Kind
    tenant: Tenant
    tokens: Tokens
    script: str = ""
    port: int = 0
    began: float = field(default_factory=time.monotonic)
    answer: Answer | None = None
    problem: str = ""

    @property
    def ended(self) -> float:
        return self.answer.ended_at if self.answer and self.answer.ended_at else self.began + WITHIN

    def reported(self, provider_name: str) -> Tokens:
        """What this provider told of it, if it was heard to its end."""
        if self.kind.fails and provider_name == FAULTY:
            return NOTHING
        plain, read, short, long, output = self.tokens
        if self.kind.model == TRANSLATED_MODEL:
            return plain, read, 0, 0, output
        return plain, read, short, long, output

    @property
    def outcome(self) -> str:
        """`left`, `whole`, `error frame`, a status, or what must not be."""
        answer = self.answer
        if self.kind.left:
            return "left"
        if answer is None or answer.status == 0:
            return f"refused {self.problem}"
        if answer.status != 200:
            return f"status {answer.status}"
        if not answer.complete:
            return f"cut {self.problem}"
        if not self.kind.stream:
            return "whole"
        ends = answer.body.count(b"event: message_stop"), answer.body.count(b"event: error")
        return {(1, 0): "whole", (0, 1): "error frame"}.get(ends, f"stream with {ends} ends")


class MixedLoad:
    """From `__enter__` to `__exit__`, which waits for the answers. Half of the failed are asked again, once."""

    def __init__(self, arena: Arena, seed: int, rate: float = RATE) -> None:
        self._arena = arena
        self._rate = rate
        self._chance = random.Random(seed)
        self.asked: list[Asked] = []

    def __enter__(self) -> MixedLoad:
        self._thread = EventLoopThread("mixed load")
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
            self._generator.result(2 * WITHIN + 10)
        finally:
            self._thread.stop()

    async def _generate(self) -> None:
        tasks = set()
        due = time.monotonic()
        while self._going:
            tasks.add(asyncio.create_task(self._ask_and_perhaps_again()))
            due += 1 / self._rate
            await asyncio.sleep(max(0.0, due - time.monotonic()))
        await asyncio.gather(*tasks)

    async def _ask_and_perhaps_again(self) -> None:
        first = self._next(self._chance.choices(KINDS, [kind.weight for kind in KINDS])[0])
        await self._ask(first)
        failed = first.answer is not None and first.answer.status in AGAIN
        if failed and self._chance.random() < 0.5:
            await asyncio.sleep(0.5)
            await self._ask(self._next(first.kind))

    def _next(self, kind: Kind) -> Asked:
        plain, read, short, long, output = (self._chance.randint(1, 500) for _ in range(5))
        asked = Asked(kind, self._chance.choice(self._arena.tenants), (plain, read, short, long, output))
        asked.script = self._arena.site.house.upstream.answered_by(lambda request: _script(asked, request))
        self.asked.append(asked)
        return asked

    async def _ask(self, asked: Asked) -> None:
        raw = ask_as(self._arena, asked.tenant, asked.script, asked.kind.model, asked.kind.stream)
        patience = self._chance.uniform(0.01, 0.3) if asked.kind.left else WITHIN
        answer = Answer(asked_at=time.monotonic())
        wire: Wire | None = None
        try:
            wire = await Wire.connect(self._arena.web.port)
            asked.port, asked.answer = wire.port, answer
            async with asyncio.timeout(patience):
                await wire.send(raw)
                await wire.read_into(answer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError) as problem:
            asked.problem = repr(problem)
        answer.ended_at = time.monotonic()
        if wire is not None:
            wire.leave() if self._chance.random() < 0.5 else wire.reset()


def _script(asked: Asked, request: Received) -> Script:
    """What a provider says to it."""
    if asked.kind.fails and provider_of(request) == FAULTY:
        return reply(529, provider.error("overloaded_error", "Busy"))
    if asked.kind.model == TRANSLATED_MODEL:
        usage = _openai_usage(asked.tokens)
        if asked.kind.stream:
            return streamed(_translated_frames(usage), delay=EVENT_SECONDS)
        return [Pause(0.05), *reply(200, {**openai_provider.completion(), "usage": usage})]
    usage = _anthropic_usage(asked.tokens)
    if asked.kind.stream:
        return streamed(provider.frames(provider.events(WORDS, usage)), delay=EVENT_SECONDS)
    return [Pause(0.05), *reply(200, provider.message(usage=usage))]


def provider_of(request: Received) -> str:
    """The name of the provider that was called: its address begins with it."""
    return request.target.split("/")[1]


def _translated_frames(usage: dict[str, object]) -> list[bytes]:
    return openai_provider.frames(openai_provider.chunks(WORDS, usage=usage))


def _anthropic_usage(tokens: Tokens) -> dict[str, object]:
    plain, read, short, long, output = tokens
    return {
        "input_tokens": plain,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": short + long,
        "cache_creation": {"ephemeral_5m_input_tokens": short, "ephemeral_1h_input_tokens": long},
        "output_tokens": output,
    }


def _openai_usage(tokens: Tokens) -> dict[str, object]:
    plain, read, _, _, output = tokens
    return {
        "prompt_tokens": plain + read,
        "completion_tokens": output,
        "total_tokens": plain + read + output,
        "prompt_tokens_details": {"cached_tokens": read},
    }
