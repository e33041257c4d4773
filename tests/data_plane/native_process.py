"""The runner of native batches as a process that a test may kill: `python -m tests.data_plane.native_process`.

It runs until nothing is to be looked at soon, and prints by how many bytes it has grown since it began.
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from gateway import configuration
from gateway.batches import native, native_courier
from gateway.batches.native import NativeRunner
from gateway.batches.store import BatchStore
from gateway.engine.plane import Plane

KILOBYTE = 1024


async def main() -> None:
    settings = configuration.load()
    store = BatchStore(settings.database_url)
    plane = Plane(settings, replica=False)
    await plane.start()
    try:
        before = _memory("VmRSS")
        await NativeRunner(plane, store, stopping=lambda: False).run()
        print(_memory("VmHWM") - before)
    finally:
        await plane.stop()
        await store.close()


def _memory(what: str) -> int:
    """Bytes that are resident now (`VmRSS`), or were at most (`VmHWM`)."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status[what].split()[0]) * KILOBYTE


if __name__ == "__main__":
    native.STEP_SECONDS = 0.1
    native_courier.SHORTEST_SECONDS = 0.2  # between two looks at a batch
    asyncio.run(main())
