"""Counts tokens without holding up the event loop or the memory of a web process.

    TokenCounter   starts a counting process at first use, again when it died; lets it go when idle
      _Process     one running process: bodies go in, counts come out, many requests at once

What cannot be counted in time (too many waiting, a process that will not answer) is estimated from its bytes.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
import sys
from pathlib import Path

import structlog

from gateway.tokens.counts import ANSWER, REQUEST, UNCOUNTABLE, Counts
from gateway.tokens.profiles import Profile
from gateway.tokens.quick import quick_estimate

_PROJECT = Path(__file__).resolve().parents[2]
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "LC_ALL")  # no secrets
_CHUNK = 256 * 1024  # bytes written at once, so that a large body takes the loop in small steps
_PAUSE_AFTER_FAILURE = 5.0  # seconds without a new process when one died before its first answer

log = structlog.get_logger(__name__)


class CountingFailed(Exception):
    """No count to be had; its text says why."""


class TokenCounter:
    """Shared by all requests of one event loop. Times are seconds."""

    def __init__(
        self,
        *,
        deadline: float = 10.0,
        idle: float = 300.0,
        most_pending: int = 64,
        most_pending_bytes: int = 128 * 1024 * 1024,
    ) -> None:
        self._deadline = deadline
        self._idle = idle
        self._most_pending = most_pending
        self._most_pending_bytes = most_pending_bytes
        self._pending = 0
        self._pending_bytes = 0
        self._process: _Process | None = None
        self._starting = asyncio.Lock()
        self._not_before = 0.0
        self._rest: asyncio.TimerHandle | None = None

    async def count(self, body: bytes, *, profile: Profile) -> int:
        """Input tokens of a messages or count_tokens body (a JSON object); at worst guessed from bytes."""
        try:
            self._check_room(body)
            return profile.total(await self._counted(body))
        except (CountingFailed, OSError) as problem:
            log.warning("tokens_estimated", reason=str(problem), body_bytes=len(body))
            return max(1, round(quick_estimate(body) * profile.factor))

    async def close(self) -> None:
        """End the process; counts still waiting become estimates."""
        self._cancel_rest()
        process, self._process = self._process, None
        if process:
            await process.close()

    def _check_room(self, body: bytes) -> None:
        if self._pending >= self._most_pending or self._pending_bytes + len(body) > self._most_pending_bytes:
            raise CountingFailed("too many requests are waiting to be counted")

    async def _counted(self, body: bytes) -> Counts:
        self._cancel_rest()
        self._pending += 1
        self._pending_bytes += len(body)
        try:
            async with asyncio.timeout(self._deadline):
                return await self._asked(body)
        except TimeoutError:
            self._kill_if_silent()
            raise CountingFailed("the deadline passed") from None
        finally:
            self._pending -= 1
            self._pending_bytes -= len(body)
            if not self._pending:
                self._rest = asyncio.get_running_loop().call_later(self._idle, self._let_go)

    async def _asked(self, body: bytes) -> Counts:
        """Ask; once more when the process dies, maybe by another's body."""
        for _ in range(2):
            process = await self._running()
            with contextlib.suppress(ProcessEnded):
                return await process.ask(body)
        raise CountingFailed("the counting process died twice")

    async def _running(self) -> _Process:
        async with self._starting:
            now = asyncio.get_running_loop().time()
            if self._process and self._process.ended:
                if not self._process.answered:
                    self._not_before = now + _PAUSE_AFTER_FAILURE
                self._process = None
            if now < self._not_before:
                raise CountingFailed("the counting process does not start")
            if self._process is None:
                self._process = await _Process.start()
            return self._process

    def _kill_if_silent(self) -> None:
        """A process that answered nobody for a whole deadline hangs; one that is merely busy goes on."""
        now = asyncio.get_running_loop().time()
        if self._process and now - self._process.heard_at >= self._deadline:
            self._process.kill()

    def _let_go(self) -> None:
        """Nobody asked for a while: at the end of its stdin the process ends by itself."""
        process, self._process = self._process, None
        if process:
            process.end()

    def _cancel_rest(self) -> None:
        if self._rest:
            self._rest.cancel()
            self._rest = None


class ProcessEnded(Exception):
    """The process is gone; the body may be asked of another one."""


class _Process:
    @classmethod
    async def start(cls) -> _Process:
        environment = {name: os.environ[name] for name in _ENVIRONMENT if name in os.environ}
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gateway.tokens.process",
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=_PROJECT,
            env=environment,
        )
        return cls(child)

    def __init__(self, child: asyncio.subprocess.Process) -> None:
        assert child.stdin and child.stdout
        self.pid = child.pid
        self.ended = False
        self.answered = False
        self.heard_at = asyncio.get_running_loop().time()
        self._child = child
        self._stdin = child.stdin
        self._stdout = child.stdout
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Future[Counts]] = {}
        self._outbox: asyncio.Queue[tuple[int, bytes]] = asyncio.Queue()
        self._writer = asyncio.create_task(self._write())
        self._reader = asyncio.create_task(self._read())

    async def ask(self, body: bytes) -> Counts:
        if self.ended:
            raise ProcessEnded
        number = next(self._numbers)
        answer: asyncio.Future[Counts] = asyncio.get_running_loop().create_future()
        if not self._waiting:
            self.heard_at = asyncio.get_running_loop().time()
        self._waiting[number] = answer
        self._outbox.put_nowait((number, body))
        try:
            return await answer
        finally:
            self._waiting.pop(number, None)

    async def close(self) -> None:
        self.end()
        try:
            async with asyncio.timeout(2):
                await asyncio.shield(self._reader)
        except TimeoutError:
            self.kill()
            await self._reader

    def end(self) -> None:
        self._writer.cancel()
        self._stdin.close()

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self._child.kill()

    async def _write(self) -> None:
        """Whole frames, whatever becomes of those who asked; one given up before its turn is skipped."""
        with contextlib.suppress(ConnectionError):
            while True:
                number, body = await self._outbox.get()
                if number in self._waiting:
                    await self._send(number, memoryview(body))

    async def _send(self, number: int, body: memoryview) -> None:
        self._stdin.write(REQUEST.pack(number, len(body)))
        for start in range(0, len(body), _CHUNK):
            self._stdin.write(body[start : start + _CHUNK])
            await self._stdin.drain()

    async def _read(self) -> None:
        """Hand answers out until the process ends, then tell those who still wait."""
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                number, *figures = ANSWER.unpack(await self._stdout.readexactly(ANSWER.size))
                self.answered, self.heard_at = True, asyncio.get_running_loop().time()
                self._hand_out(number, Counts(*figures))
        self.ended = True
        self.end()
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(ProcessEnded())
        await self._child.wait()

    def _hand_out(self, number: int, counts: Counts) -> None:
        answer = self._waiting.get(number)
        if answer is None or answer.done():
            return
        if counts.text_tokens == UNCOUNTABLE:
            answer.set_exception(CountingFailed("the body could not be read"))
        else:
            answer.set_result(counts)
