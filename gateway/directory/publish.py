"""Tells every process that something in the directory changed; called by actions, heard by `subscriber.py`.

Messages go out when the transaction commits, so that a process that looks again sees the new rows.
"""

from __future__ import annotations

import functools
import uuid

import msgspec
import redis
import structlog
from django.conf import settings
from django.db import transaction

from gateway.directory.change import CHANNEL, Change
from gateway.valkey_clients import Client, connect, publish

log = structlog.get_logger(__name__)


def catalog_changed() -> None:
    """Providers, models, routes, prices."""
    _on_commit(Change("catalog"))


def key_changed(digest: bytes) -> None:
    """One key was made, revoked, expired or limited."""
    _on_commit(Change("key", bytes(digest).hex()))


def organization_changed(organization_id: uuid.UUID) -> None:
    """Anything that the keys of an organization carry: tier, limits, workspaces, suspension."""
    _on_commit(Change("organization", str(organization_id)))


def _on_commit(change: Change) -> None:
    transaction.on_commit(functools.partial(_send, change))


def _send(change: Change) -> None:
    """A change that cannot be announced is loud: processes then notice it by their own re-reading."""
    try:
        publish(_client(), CHANNEL, msgspec.json.encode(change))
    except redis.RedisError as problem:
        log.error("directory_change_not_announced", kind=change.kind, error=str(problem))


@functools.cache
def _client() -> Client:
    return connect(settings.CONFIGURATION.redis_url, timeout=2, retries=1)
