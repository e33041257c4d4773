"""A gate that a process started early waits at: its imports (a second or two) are done when the gate opens.

The gate is a pipe. It opens when the supervisor closes its end, and stays open for a process started later.
"""

from __future__ import annotations

import os

VARIABLE = "GATEWAY_GATE_FD"


class Gate:
    """The supervisor's side: `descriptor` is for the children to inherit."""

    def __init__(self) -> None:
        self.descriptor, self._held = os.pipe()
        self._closed = True

    def open(self) -> None:
        if self._closed:
            os.close(self._held)
            self._closed = False


def wait_at_gate() -> None:
    """Return when the gate is open; at once in a process that was given none."""
    if given := os.environ.pop(VARIABLE, ""):
        os.read(int(given), 1)
        os.close(int(given))
