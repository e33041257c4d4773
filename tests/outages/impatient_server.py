"""The real web process that waits a second, not thirty, for clients that take nothing."""

from __future__ import annotations

from gateway import http_connection, server

if __name__ == "__main__":
    http_connection.STALL_SECONDS = 1.0
    server.main()
