from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis

from gateway.limits.limiter import SCRIPTS, Limiter
from gateway.supervisor.valkey import Valkey as ValkeyServer
from gateway.valkey import Valkey


@pytest.fixture
async def limiter(valkey: redis.Redis, valkey_server: ValkeyServer) -> AsyncIterator[Limiter]:
    """A limiter on an empty Valkey."""
    connection = Valkey(valkey_server.url, SCRIPTS)
    await connection.start()
    assert connection.available
    limiter = Limiter(connection)
    connection.on_up = limiter.valkey_is_up
    limiter.start()
    yield limiter
    limiter.stop()
    await connection.stop()
