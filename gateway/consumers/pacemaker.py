"""A ping whenever an open stream has been silent for a while, so that no proxy on the way gives up."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any


class Pacemaker:
    """One timer a stream. Only whole frames are ever sent, so a ping cannot fall into the middle of one."""

    def __init__(self, send: Any, seconds: float, ping: bytes) -> None:
        self._send = send
        self._ping_frame = ping
        self._seconds = seconds
        self._loop = asyncio.get_running_loop()
        self._last = self._loop.time()
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(seconds, self._check)
        self._ping: asyncio.Task[None] | None = None

    def beat(self) -> None:
        """Something is being sent just now."""
        self._last = self._loop.time()

    async def stop(self) -> None:
        """No ping after this, also none that was due and has not begun; one that is being sent is waited for."""
        self._stop_timer()
        if self._ping is not None:
            await self._ping

    def cancel(self) -> None:
        """As `stop`, for a client that is gone."""
        self._stop_timer()
        if self._ping is not None:
            self._ping.cancel()

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _check(self) -> None:
        due = self._last + self._seconds - self._loop.time()
        if due <= 0:
            due = self._seconds
            self._last = self._loop.time()
            if self._ping is None or self._ping.done():
                self._ping = asyncio.create_task(self._send_ping())
        self._timer = self._loop.call_later(due, self._check)

    async def _send_ping(self) -> None:
        if self._timer is None:  # stopped before this task had its turn
            return
        with contextlib.suppress(OSError):  # the client is gone; the request's own task finds out
            await self._send({"type": "http.response.body", "body": self._ping_frame, "more_body": True})
