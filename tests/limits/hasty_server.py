"""The real web process that audits each budget every second, not every minute."""

from __future__ import annotations

from gateway import server
from gateway.engine import audit

if __name__ == "__main__":
    audit.EVERY_SECONDS = 1.0
    audit.GOOD_ENOUGH_MS = 300
    server.main()
