"""Fills a migrated database for the browser; run through `manage.py shell`, with the environment of the gateway.

Ada runs Acme and belongs to Umbrella too; Nora belongs nowhere; Ingrid of Initech and Gus of Globex are about to
try it. Acme has a month of usage over several models, drained from real events; Umbrella has none. The last line of
the output is a JSON object of what tests need.
"""

from __future__ import annotations

import datetime
import json
import random
import sys
import uuid
from collections.abc import Iterator

import redis
from django.conf import settings
from django.utils import timezone

from admin_api.actions import (
    api_keys,
    invites,
    memberships,
    models,
    organizations,
    passwords,
    saved_prompts,
    service_accounts,
    spend_limit_increase_requests,
    spend_limits,
)
from admin_api.actor import SYSTEM
from admin_api.catalog import RouteTo
from gateway.metering import event
from gateway.metering.drain import Drain
from gateway.metering.event import UsageEvent
from gateway.models import ApiKey, Organization, Price, User
from gateway.shards import SHARDS, shard_of, usage_stream
from gateway.token_usage import TokenUsage
from tests import people
from tests.batches.rows import DAY, batch_of
from tests.dashboard import (
    stage_batches,
    stage_limits,
    stage_logs,
    stage_operators,
    stage_people,
    stage_sign_in,
)
from tests.people import Cast

MODELS = {"claude-sonnet-5-5": 44, "claude-haiku-5-5": 30, "claude-opus-5-5": 18, "claude-sonnet-4-5": 8}
DAYS = 30
PER_DAY = 160


def main() -> None:
    cast = people.cast()
    nora = people.person("Nora", None, None)
    initech = organizations.create(actor=SYSTEM, name="Initech", tier=cast.acme.tier)
    ingrid = people.person("Ingrid", initech, "developer")
    globex = organizations.create(actor=SYSTEM, name="Globex", tier=cast.acme.tier)
    people.person("Gus", globex, "developer")
    memberships.add(actor=SYSTEM, organization=cast.umbrella, user=cast.ada, role="developer")
    key, secret = api_keys.create(actor=SYSTEM, organization=cast.acme, name="Stage", created_by=cast.dev)
    Price.objects.update(effective_at=timezone.now() - 2 * DAYS * DAY)  # held while it was used
    _drain([*_events(cast, key), *stage_logs.events(cast, key, _price_versions())])
    stage_logs.refusal(key)
    for name in ("llama-4-maverick-17b-128e-instruct-fp8", "gpt-oss-120b"):  # without a price
        models.upsert(actor=SYSTEM, name=name, routes=[RouteTo("simulator", name)])
    known: dict[str, object] = {
        "api_key": secret,
        "fresh_api_key": _fresh_key(initech, ingrid),
        "new_invite": _invite(cast, "grace@example.com"),
        "known_invite": _invite(cast, nora.email),
        "ids": {
            **{f"log_{name}": id for name, id in stage_logs.IDS.items()},
            **_batches(cast, key),
            **_keys(cast, key),
            **stage_limits.made(cast),
            **stage_batches.made(cast, key),
            **stage_operators.made(cast),
            "prompt": _prompt(cast),
            **stage_people.made(cast),
            **_budgets(cast),
            **stage_sign_in.made(cast),
        },
        "reset": passwords.create_link(actor=SYSTEM, user=cast.uma),
    }
    sys.stdout.write(json.dumps(known) + "\n")


def _batches(cast: Cast, key: ApiKey) -> dict[str, str]:
    """Rows that no worker works on: one of each kind, and a list of more than a page before them."""
    minute = datetime.timedelta(minutes=1)
    common = {"api_key_id": key.id, "model_names": ["claude-sonnet-5-5", "claude-haiku-5-5"]}
    for days in range(28, 0, -1):
        made = timezone.now() - DAY * days
        batch_of(
            cast.acme,
            age=DAY * days,
            status="ended",
            total=1000,
            succeeded=1000 - days,
            errored=days,
            ended_at=made + 9 * days * minute,
            **common,
        )
    kinds = {
        "ended": {
            "status": "ended",
            "total": 10_000,
            "succeeded": 9_812,
            "errored": 188,
            "age": 190 * minute,
        },
        "canceling": {
            "status": "canceling",
            "total": 500,
            "succeeded": 120,
            "canceled": 300,
            "age": 42 * minute,
        },
        "running": {"total": 100_000, "succeeded": 41_200, "errored": 730, "age": 25 * minute},
    }
    kinds["watched"] = {"total": 100, "age": 60 * minute}
    kinds["ended"]["ended_at"] = timezone.now() - 61 * minute
    kinds["canceling"]["cancel_initiated_at"] = timezone.now() - minute
    return {name: batch_of(cast.acme, **common, **fields).id for name, fields in kinds.items()}


def _prompt(cast: Cast) -> str:
    """With all that a saved prompt may hold: a call and its result, a variable, and a second model."""
    called = {"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Lisbon"}}
    result = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "Rain, 14 degrees"}
    content: dict[str, object] = {
        "model": "claude-sonnet-5-5",
        "second": "claude-sonnet-4-5",
        "system": "You know the weather in {{country}}.",
        "tools": json.dumps([{"name": "get_weather", "input_schema": {"type": "object"}}], indent=2),
        "thinking": "adaptive",
        "cache": True,
        "variables": {"country": "Portugal"},
        "message": "And tomorrow?",
        "messages": [
            {"role": "user", "content": "Do I need an umbrella in Lisbon today?"},
            {"role": "assistant", "content": [called]},
            {"role": "user", "content": [result]},
            {"role": "assistant", "content": [{"type": "text", "text": "Yes: it rains."}]},
        ],
    }
    member = cast.ada.memberships.get(organization=cast.acme)
    name = "Weather of a whole country, with a tool and two models that stand beside each other " * 2
    return saved_prompts.save(actor=SYSTEM, member=member, name=name, content=content).id


def _budgets(cast: Cast) -> dict[str, str]:
    """One that is nearly used up among others, and a member who asks for more."""
    whole = {"actor": SYSTEM, "organization": cast.acme}
    budget = spend_limits.set_amount(**whole, period="monthly", amount=25_000)
    spend_limits.set_amount(**whole, period="daily", amount=1_000, user=cast.ada)
    spend_limits.set_amount(
        **whole, period="weekly", amount=9_000, workspace=cast.acme.workspaces.get(is_default=True)
    )
    membership = cast.acme.memberships.get(user=cast.uma)
    reason = "The launch is next week, and the evaluation runs over all of the old conversations once more."
    asked = spend_limit_increase_requests.create(
        actor=SYSTEM, membership=membership, period="monthly", reason=reason
    )
    return {"budget": budget.id, "budget_request": asked.id}


def _keys(cast: Cast, key: ApiKey) -> dict[str, str]:
    """One of each kind, with names as long and as strange as people give them, and more than a page of others."""
    robot = service_accounts.create(actor=SYSTEM, organization=cast.acme, name="nightly-evaluation")
    common = {
        "actor": SYSTEM,
        "organization": cast.acme,
        "workspace": cast.acme.workspaces.get(is_default=True),
    }
    api_keys.update(actor=SYSTEM, key=key, spend_limit=api_keys.Cap(100_00, "monthly"))
    for number in range(1, 25):
        api_keys.create(name=f"ci-runner-{number:02}", created_by=cast.ada, service_account=robot, **common)
    limited, _ = api_keys.create(
        name="production gateway of the team that has the longest name of all, and-no-place-to-break-it-"
        + "abcdefghijklmnop" * 2,
        user=cast.dev,
        created_by=cast.dev,
        limits={"requests_per_minute": 50, "input_tokens_per_minute": 40_000},
        allowed_models=["claude-sonnet-5-5", "claude-haiku-*"],
        allowed_ips=["203.0.113.0/24", "2001:db8::/32"],
        spend_limit=api_keys.Cap(25_00, "daily"),
        expires_at=timezone.now() + 30 * DAY,
        **common,
    )
    off, _ = api_keys.create(name="switched off", created_by=cast.ada, **common)
    api_keys.update(actor=SYSTEM, key=off, status="inactive")
    old, _ = api_keys.create(name="forgotten", created_by=cast.ada, **common)
    ApiKey.objects.filter(pk=old.pk).update(created_at=timezone.now() - 200 * DAY)
    gone, _ = api_keys.create(name="put away", created_by=cast.ada, **common)
    api_keys.update(actor=SYSTEM, key=gone, status="archived")
    return {"key": key.id, "limited_key": limited.id, "archived_key": gone.id}


def _fresh_key(organization: Organization, user: User) -> str:
    _, secret = api_keys.create(actor=SYSTEM, organization=organization, name="First", created_by=user)
    return secret


def _invite(cast: Cast, email: str) -> str:
    _, token = invites.create(actor=SYSTEM, organization=cast.acme, email=email, role="developer")
    return invites.link(token)


def _drain(events: list[UsageEvent]) -> None:
    url = settings.CONFIGURATION.redis_url
    with redis.Redis.from_url(url) as client, client.pipeline(transaction=False) as commands:
        for one in events:
            stream = usage_stream(shard_of(one.organization_id))
            commands.xadd(stream, {event.FIELD: event.encode(one)})
        commands.execute()
        drain = Drain(database_url=settings.CONFIGURATION.database_url, redis_url=url)
        while any(client.xlen(usage_stream(shard)) for shard in range(SHARDS)):
            drain.step()


def _events(cast: Cast, key: ApiKey) -> Iterator[UsageEvent]:
    """More by day than by night, more on working days; the same at every run save for the clock."""
    dice = random.Random(7)
    versions = _price_versions()
    now = timezone.now()
    for hours in range(DAYS * 24):
        at = now - datetime.timedelta(hours=hours)
        by_day = 0.35 + max(0.0, 1 - abs(at.hour - 14) / 9)
        working = 1.0 if at.weekday() < 5 else 0.4
        for _ in range(round(PER_DAY / 24 * by_day * working * dice.uniform(0.6, 1.5))):
            moment = at - datetime.timedelta(seconds=dice.uniform(1, 3500))
            yield _event(cast, key, dice, versions, moment)


def _price_versions() -> dict[str, int]:
    return {price.model_name: price.id for price in Price.objects.order_by("id")}


def _event(
    cast: Cast, key: ApiKey, dice: random.Random, versions: dict[str, int], at: datetime.datetime
) -> UsageEvent:
    model = dice.choices(list(MODELS), list(MODELS.values()))[0]
    failed = dice.random() < 0.012
    usage = TokenUsage(
        input_tokens=round(dice.lognormvariate(7.2, 0.9)),
        cache_read_tokens=round(dice.lognormvariate(8.6, 1.0)) if dice.random() < 0.7 else 0,
        cache_write_5m_tokens=round(dice.lognormvariate(6.5, 0.8)) if dice.random() < 0.3 else 0,
        output_tokens=round(dice.lognormvariate(6.1, 0.8)),
    )
    return UsageEvent(
        attempt_id=_attempt_id(dice, at),
        request_id=f"req_{dice.getrandbits(64):016x}",
        organization_id=cast.acme.id,
        workspace_id=stage_people.USED,
        api_key_id=key.id,
        endpoint="messages",
        model_requested=model,
        model=model,
        provider="simulator",
        upstream_model=model,
        stream=True,
        status=529 if failed else 200,
        usage_source="reported",
        usage=TokenUsage() if failed else usage,
        latency_ms=dice.randint(900, 6000),
        time_to_first_token_ms=None if failed else dice.randint(240, 900),
        price_version=versions[model],
    )


def _attempt_id(dice: random.Random, at: datetime.datetime) -> uuid.UUID:
    value = (int(at.timestamp() * 1000) << 80) | dice.getrandbits(80)
    value = (value & ~(0xF << 76)) | (7 << 76)
    return uuid.UUID(int=(value & ~(0x3 << 62)) | (2 << 62))
