from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import redis

from gateway.limits.limiter import Limiter
from gateway.supervisor.valkey import Valkey


@pytest.fixture
async def limiter(valkey: redis.Redis, valkey_server: Valkey) -> AsyncIterator[Limiter]:
    """A limiter on an empty Valkey."""
    limiter = Limiter(valkey_server.url, stream="gw:usage")
    await limiter.start()
    assert limiter.valkey.available
    yield limiter
    await limiter.stop()
