"""What circuits are called, and where what all processes have seen of them is kept in Valkey.

`gateway/upstreams/circuits.py` works by them; `gateway/circuit_gauges.py` reads them for pages.
"""

from __future__ import annotations

WINDOW_SECONDS = 30.0
SLICE_SECONDS = 3.0


def circuit_name(provider: str, key_id: str, upstream_model: str) -> str:
    """Of what fails together: this model at this provider with this key."""
    return f"{provider}/{key_id}/{upstream_model}"


def circuit_key(name: str) -> str:
    return f"gw:circuit:{{{name}}}"
