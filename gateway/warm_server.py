"""A web process started before it may serve: `gateway.server`, imported and then held at the gate."""

from __future__ import annotations

from gateway import server
from gateway.gate import wait_at_gate

if __name__ == "__main__":
    wait_at_gate()
    server.main()
