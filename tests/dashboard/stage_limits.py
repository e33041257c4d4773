"""A workspace near its limits, and what was refused there."""

from __future__ import annotations

import datetime

import redis
from django.conf import settings
from django.utils import timezone

from admin_api.actions import api_keys, spend_limits, workspaces
from admin_api.actor import SYSTEM
from gateway.ids import new_id
from gateway.limit_pools import DEFAULT
from gateway.metering import refusal
from gateway.metering.refusal import LimitRefusal
from gateway.models import ApiKey, Workspace
from gateway.scopes import state_key
from gateway.shards import refusals_stream, shard_of
from tests.people import Cast

LONG_NAME = "Nightly evaluation of every prompt that support wrote last year, with-a-word-that-does-not-break-anywhere"
LIMITS = {"requests_per_minute": 60, "input_tokens_per_minute": 40_000, "output_tokens_per_minute": 8_000}


def made(cast: Cast) -> dict[str, str]:
    """Ids of a workspace, its key and a request that was refused there, which the drain stores within a second."""
    workspace = workspaces.create(actor=SYSTEM, organization=cast.acme, name="Research")
    workspaces.set_limits(actor=SYSTEM, workspace=workspace, limits=LIMITS)
    key, _ = api_keys.create(
        actor=SYSTEM, organization=cast.acme, workspace=workspace, name=LONG_NAME, created_by=cast.dev
    )
    spend_limits.set_amount(actor=SYSTEM, organization=cast.acme, period="monthly", amount=200_000)
    with redis.Redis.from_url(settings.CONFIGURATION.redis_url) as valkey:
        _use(valkey, workspace)
        refused = [_refusal(workspace, key, minutes) for minutes in range(0, 75, 3)]
        for one in refused:
            stream = refusals_stream(shard_of(cast.acme.id))
            valkey.xadd(stream, {refusal.FIELD: refusal.encode(one)})
    return {"lab": workspace.id, "lab_key": key.id, "refused": refused[0].request_id}


def _use(valkey: redis.Redis, workspace: Workspace) -> None:
    """As of an hour from now, so that nothing is refilled while somebody looks."""
    name = state_key(workspace.organization_id, DEFAULT, "workspace", workspace.id)
    at = (timezone.now() + datetime.timedelta(hours=1)).timestamp() * 1000
    valkey.hset(name, mapping={"at": str(at), "r": "2", "i": "9100", "o": "6100"})


def _refusal(workspace: Workspace, key: ApiKey, minutes_ago: int) -> LimitRefusal:
    at = timezone.now() - datetime.timedelta(minutes=minutes_ago)
    return LimitRefusal(
        request_id=new_id("req"),
        at=int(at.timestamp() * 1000),
        organization_id=workspace.organization_id,
        workspace_id=workspace.id,
        api_key_id=key.id,
        model="claude-sonnet-5-5",
        endpoint="messages",
        kind="rate_limit",
        scope="workspace",
        scope_id=workspace.id,
        pool=DEFAULT,
        limiter="input_tokens_per_minute",
        limit=LIMITS["input_tokens_per_minute"],
        needed=4_211,
        remaining=-350,
        retry_after_ms=6_840,
    )
