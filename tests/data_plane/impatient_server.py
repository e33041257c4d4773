"""The real web process that waits for a store of batches for one second, not for five."""

from __future__ import annotations

from gateway import server
from gateway.batches import intake

if __name__ == "__main__":
    intake.ANSWER_SECONDS = 1.0
    server.main()
