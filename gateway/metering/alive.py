"""`python -m gateway.metering.alive`: 0 when a drain of this machine asks the usage streams for work, else 1.

For the health check of the drain's container. A drain asks several times a second, also when there is nothing to do;
it stops asking only while a store is away, or when it hangs.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import redis

from gateway import configuration
from gateway.metering.stream import GROUP, STREAMS
from gateway.valkey_clients import Client, connect

SILENT_MS = 30_000
TIMEOUT = 3  # seconds


def main() -> int:
    try:
        url = configuration.load().redis_url
        with connect(url, timeout=TIMEOUT) as valkey:
            return 0 if _asking(valkey) else _unwell("no drain of this machine asks the streams for work")
    except (redis.RedisError, configuration.ConfigurationError) as problem:
        return _unwell(str(problem))


def _asking(valkey: Client) -> bool:
    members: Any = valkey.xinfo_consumers(STREAMS[0], GROUP)
    own = f"{socket.gethostname()}-".encode()
    return any(member["name"].startswith(own) and member["idle"] < SILENT_MS for member in members)


def _unwell(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
