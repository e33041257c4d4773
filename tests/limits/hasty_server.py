"""The real web process that audits each budget every half second, not every minute."""

from __future__ import annotations

from gateway import server
from gateway.engine import audit

if __name__ == "__main__":
    audit.EVERY_SECONDS = 0.5
    audit.GOOD_ENOUGH_MS = 150
    server.main()
