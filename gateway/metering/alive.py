"""`python -m gateway.metering.alive`: 0 when a drain of this machine asks the usage stream for work, else 1.

For the health check of the drain's container. A drain asks twice a second, also when there is nothing to do;
it stops asking only while a store is away, or when it hangs.
"""

from __future__ import annotations

import socket
import sys
from typing import Any

import redis

from gateway import configuration
from gateway.metering.event import STREAM
from gateway.metering.stream import GROUP

SILENT_MS = 30_000
TIMEOUT = 3  # seconds


def main() -> int:
    try:
        url = configuration.load().redis_url
        with redis.Redis.from_url(url, socket_timeout=TIMEOUT, socket_connect_timeout=TIMEOUT) as valkey:
            return 0 if _asking(valkey) else _unwell("no drain of this machine asks the stream for work")
    except (redis.RedisError, configuration.ConfigurationError) as problem:
        return _unwell(str(problem))


def _asking(valkey: redis.Redis) -> bool:
    members: Any = valkey.xinfo_consumers(STREAM, GROUP)
    own = f"{socket.gethostname()}-".encode()
    return any(member["name"].startswith(own) and member["idle"] < SILENT_MS for member in members)


def _unwell(reason: str) -> int:
    print(reason, file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
