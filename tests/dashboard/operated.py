"""What tests of the pages of operators set up and look at."""

from __future__ import annotations

from decimal import Decimal

from django.test import Client

from admin_api.actions import models, providers
from admin_api.actor import SYSTEM
from admin_api.catalog import Rates, RouteTo, WeightedKey
from gateway.models import AuditEntry, Model, Provider
from tests.dashboard.test_audit_log import text_of

RATES = Rates(*[Decimal(rate) for rate in ("3", "15", "0.3", "3.75", "6")])
ROUTE_FORM = {"route-TOTAL_FORMS": "2", "route-INITIAL_FORMS": "0"}
SETTINGS = {"on_disconnect": "abort", "batches": "emulated"}


def provider(name: str = "p", *keys: str) -> Provider:
    secrets = [WeightedKey(key) for key in keys]
    return providers.upsert(
        actor=SYSTEM, name=name, dialect="anthropic", base_url="http://10.0.0.1", api_keys=secrets
    ).row


def model(name: str = "m", at: str = "p", price: Rates = RATES) -> Model:
    return models.upsert(
        actor=SYSTEM, name=name, routes=[RouteTo(at, "there")], aliases=[f"{name}-alias"], price=price
    ).row


def route(
    number: int, provider: str, there: str = "", priority: int = 1, weight: int = 100
) -> dict[str, str]:
    fields = {"provider": provider, "model": there, "priority": str(priority), "weight": str(weight)}
    return {f"route-{number}-{name}": value for name, value in fields.items()}


def page(client: Client, address: str) -> str:
    return text_of(client.get(address).content.decode())


def last_action() -> tuple[str, str]:
    entry = AuditEntry.objects.latest("id")
    return entry.action, entry.actor_id
