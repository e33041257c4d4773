"""Signals as something to wait for: no handler of ours runs code in the middle of other code."""

from __future__ import annotations

import os
import select
import signal
from types import FrameType

STOP = frozenset({signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT})
_WATCHED = (*STOP, signal.SIGCHLD)


class Signals:
    """A box that stop signals and news of dead children fall into, from construction until `close`."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._wakeup_before = signal.set_wakeup_fd(self._writer, warn_on_full_buffer=False)
        self._handlers_before = {number: signal.signal(number, _noted) for number in _WATCHED}

    def wait(self, seconds: float) -> frozenset[int]:
        """The signals that came, waiting for one for at most `seconds`."""
        readable, _, _ = select.select([self._reader], [], [], max(0.0, seconds))
        return frozenset(os.read(self._reader, 4096)) if readable else frozenset()

    def close(self) -> None:
        for number, handler in self._handlers_before.items():
            signal.signal(number, handler)
        signal.set_wakeup_fd(self._wakeup_before)
        os.close(self._reader)
        os.close(self._writer)


def _noted(number: int, frame: FrameType | None) -> None:
    """Python writes the number into the pipe before it calls this."""
