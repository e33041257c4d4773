"""What operators look at in the browser: providers, one of them drained, prices of three times, and a test call."""

from __future__ import annotations

import datetime
from decimal import Decimal

from django.utils import timezone

from admin_api.actions import credit, models, operator_keys, organizations, providers
from admin_api.actor import Actor
from admin_api.catalog import Rates, RouteTo, WeightedKey
from gateway.models import AuditEntry, ProviderCheck
from tests.people import Cast

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0 Safari/537.36"
DEAR = Rates(*[Decimal(rate) for rate in ("15", "75", "1.5", "18.75", "30")])
CHEAP = Rates(*[Decimal(rate) for rate in ("5", "25", "0.5", "6.25", "10")])
LONG = "a-model-with-a-name-that-is-as-long-as-somebody-could-possibly-want-it-to-be-and-then-some-more-v2-preview"


def made(cast: Cast) -> dict[str, str]:
    """Ids by their names in the addresses of pages."""
    olga = Actor.user(cast.olga, ip_address="192.0.2.7", request_id="req_of_olga", user_agent=BROWSER)
    _catalog(olga)
    ada = Actor.user(cast.ada, ip_address="198.51.100.23", request_id="req_of_ada", user_agent=BROWSER)
    organizations.rename(actor=ada, organization=cast.acme, name="Acme Corporation")
    organizations.rename(actor=ada, organization=cast.acme, name="Acme")
    credit.adjust(actor=olga, organization=cast.umbrella, amount=250_000, note="Invoice 17")
    credit.begin(actor=olga, organization=cast.umbrella)
    organizations.update(
        actor=olga,
        organization=cast.umbrella,
        limits={"requests_per_minute": 5},
        denied_models=["claude-opus-*"],
    )
    operator_keys.create(actor=olga, name="Terraform")
    renamed = AuditEntry.objects.filter(action="organization.renamed").latest("id")
    return {
        "audit_entry": str(renamed.pk),
        "check": str(_check().pk),
        "organization": str(cast.umbrella.id),
    }


def _catalog(olga: Actor) -> None:
    providers.upsert(
        actor=olga,
        name="anthropic-eu",
        dialect="anthropic",
        base_url="https://eu.example.com",
        api_keys=[WeightedKey("sk-ant-of-the-provider-1a2b"), WeightedKey("sk-ant-of-the-provider-9x8y", 40)],
    )
    groq = providers.upsert(
        actor=olga, name="groq", preset="groq", dialect="openai", base_url="https://api.groq.com/openai/v1"
    ).row
    ways = [RouteTo("anthropic-eu", "claude-opus-5-5"), RouteTo("groq", "opus", priority=2, weight=30)]
    models.upsert(
        actor=olga,
        name="claude-opus-eu",
        display_name="Claude Opus in Europe",
        routes=ways,
        aliases=["opus-eu", "claude-opus-eu-latest"],
        max_input_tokens=200_000,
        max_output_tokens=64_000,
        price=DEAR,
    )
    soon = timezone.now() + datetime.timedelta(days=20)
    for price in (CHEAP, Rates(*[Decimal(4)] * 5, effective_at=soon)):
        models.upsert(actor=olga, name="claude-opus-eu", routes=ways, price=price)
    for name in ("llama-3.3-70b-versatile", "llama-3.1-8b-instant"):  # which are published
        models.upsert(actor=olga, name=name, routes=[RouteTo("groq", name)], price=CHEAP)
    models.upsert(actor=olga, name=LONG, routes=[RouteTo("groq", LONG)])
    providers.drain(actor=olga, provider=groq)


def _check() -> ProviderCheck:
    """One that has ended: of two calls one failed."""
    common = {
        "model": "claude-opus-eu",
        "upstream_model": "claude-opus-5-5",
        "key": "...1a2b",
        "first_ms": 212,
    }
    answered = {
        "ok": True,
        "input_tokens": 13,
        "output_tokens": 4,
        "text": "Hello!",
        "stop_reason": "end_turn",
    }
    failed = {"ok": False, "status": 401, "kind": "authentication_error", "message": "invalid x-api-key"}
    now = timezone.now()
    return ProviderCheck.objects.create(
        provider="anthropic-eu",
        model="claude-opus-5-5",
        started_at=now,
        ended_at=now,
        lines=[
            {**common, "stream": False, "total_ms": 840, **answered},
            {**common, "stream": True, "total_ms": 1204, **failed},
        ],
    )
