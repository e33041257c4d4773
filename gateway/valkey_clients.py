"""Clients of Valkey for everything that is not on the path of a request: redis-py's, for one server or a cluster."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.cluster import RedisCluster
from redis.retry import Retry

Client = redis.Redis | RedisCluster


def connect(url: str, *, timeout: float, retries: int = 0, **options: Any) -> Client:
    """A client that has reached its server; a cluster's where `url` names one of its nodes. RESP2, no decoding.

    `timeout` in seconds is for connecting and for each answer. Raises `redis.RedisError` while Valkey is away.
    """
    single = redis.Redis.from_url(
        url,
        protocol=2,
        retry=Retry(NoBackoff(), retries),
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        **options,
    )
    if not in_cluster(single):
        return single
    single.close()
    return RedisCluster.from_url(
        url,
        protocol=2,
        retry=Retry(NoBackoff(), max(1, retries)),  # where a slot has moved, its new node is asked
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        **options,
    )


def publish(client: Client, channel: str, message: bytes) -> None:
    """To all who listen: a cluster's nodes tell each other, so that any node that is there will do.

    Raises `redis.RedisError`.
    """
    if isinstance(client, redis.Redis):
        client.publish(channel, message)
        return
    problem: redis.RedisError | None = None
    for node in client.get_primaries():
        try:
            client.execute_command("PUBLISH", channel, message, target_nodes=node)
            return
        except redis.RedisError as one:
            problem = one
    raise problem or redis.ConnectionError("the cluster has no nodes")


def in_cluster(client: redis.Redis) -> bool:
    """Whether this server is a node of a cluster. Raises `redis.RedisError`."""
    state: Any = client.info("cluster")
    return bool(state.get("cluster_enabled"))
