"""The broker: where messages to Celery's workers wait, and what Django caches. One Valkey, never a cluster.

The library that Celery speaks to Valkey with knows no clusters, so that one needs a single Valkey beside it.
"""

from __future__ import annotations

import contextlib

import redis

from gateway.configuration import Configuration, ConfigurationError
from gateway.valkey_clients import in_cluster

ASK_SECONDS = 2


def check(configuration: Configuration) -> None:
    """Refuse to start with a cluster as the broker. One that is away cannot be asked, and passes.

    Raises `ConfigurationError`.
    """
    with contextlib.suppress(redis.RedisError), _client(configuration.broker) as client:
        if not in_cluster(client):
            return
        if configuration.broker_url:
            told = "names a Valkey cluster, which Celery cannot use"
        else:
            told = "is not set, and REDIS_URL names a Valkey cluster, which Celery cannot use"
        raise ConfigurationError(f"GATEWAY_BROKER_URL {told}. Set it to the address of a single Valkey.")


def _client(url: str) -> redis.Redis:
    return redis.Redis.from_url(
        url, protocol=2, socket_timeout=ASK_SECONDS, socket_connect_timeout=ASK_SECONDS
    )
