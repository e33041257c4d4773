"""Requests of the stage that are worth opening: one of each kind, with the widest names that there may be."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Iterator, Mapping

from django.utils import timezone

from gateway.ids import derived_attempt_id
from gateway.metering.event import UsageEvent
from gateway.models import ApiKey
from gateway.token_usage import TokenUsage
from tests.admin_api.refused import refused
from tests.people import Cast

MODEL = "claude-sonnet-5-5"
LONG = "a-client-with-a-very-long-name-" * 6
IDS = {name: f"req_01stage{name}" for name in ("retried", "failed", "cached", "refused")}


def events(cast: Cast, key: ApiKey, versions: Mapping[str, int]) -> Iterator[UsageEvent]:
    """Attempts of a minute ago."""
    overloaded = {"status": 529, "error_type": "overloaded_error", "usage": TokenUsage(), "latency_ms": 640}
    yield _event(cast, key, versions, 62.0, "retried", **overloaded)
    yield _event(cast, key, versions, 61.35, "retried", attempt=2, provider="anthropic", **_answered(4200))
    late = {"status": 504, "error_type": "timeout_error", "usage": TokenUsage(1200), "latency_ms": 61_000}
    yield _event(cast, key, versions, 61.0, "failed", usage_source="estimated", **late)
    told = {
        "user_agent": LONG,
        "session_id": str(uuid.UUID(int=7)),
        "model_requested": "the-team's-favourite-model",
    }
    yield _event(cast, key, versions, 60.0, "cached", **told, **_answered(5100))


def refusal(key: ApiKey) -> None:
    now = datetime.datetime.now(datetime.UTC)
    for limiter in ("requests_per_minute", "output_tokens_per_minute"):
        refused(key, now, request_id=IDS["refused"], limiter=limiter)


def _answered(latency_ms: int) -> dict[str, object]:
    usage = TokenUsage(1250, 48_200, 3_100, 900, 812)
    return {
        "usage": usage,
        "stop_reason": "end_turn",
        "latency_ms": latency_ms,
        "time_to_first_token_ms": 1310,
    }


def _event(
    cast: Cast, key: ApiKey, versions: Mapping[str, int], ago: float, name: str, **changed: object
) -> UsageEvent:
    at = timezone.now() - datetime.timedelta(seconds=ago)
    told: dict[str, object] = {
        "attempt_id": derived_attempt_id(at, name),
        "request_id": IDS[name],
        "organization_id": cast.acme.id,
        "workspace_id": cast.acme.workspaces.get(is_default=True).id,
        "api_key_id": key.id,
        "endpoint": "messages",
        "model_requested": MODEL,
        "model": MODEL,
        "provider": "simulator",
        "upstream_model": MODEL,
        "stream": True,
        "status": 200,
        "usage_source": "reported",
        "price_version": versions[MODEL],
        "checked_ms": 2,
        "admitted_ms": 4,
        "user_agent": "anthropic-python/1.0",
    }
    return UsageEvent(**{**told, **changed})  # type: ignore[arg-type]
