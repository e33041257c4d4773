"""The tiers that exist from the start, and the simulator's provider and models.

The simulator's models carry the list prices of their namesakes, so that cost pages and spend limits can be
tried without a provider; nobody is billed for them.
"""

import datetime
from decimal import Decimal

from django.db import migrations
from django.utils import timezone

TIERS = {
    "basic": {"requests_per_minute": 50, "tokens_per_minute": 100_000, "concurrent_requests": 10},
    "pro": {"requests_per_minute": 200, "tokens_per_minute": 400_000, "concurrent_requests": 40},
    "enterprise": {},
}

# name, display name, output limit, then dollars per million tokens: input, output, cache read, write 5m, write 1h
SIMULATED = [
    ("claude-opus-5-5", "Claude Opus 5.5 (simulated)", 128_000, ("4", "20", "0.2", "5", "8")),
    ("claude-sonnet-5-5", "Claude Sonnet 5.5 (simulated)", 128_000, ("2", "10", "0.1", "2.5", "4")),
    ("claude-haiku-5-5", "Claude Haiku 5.5 (simulated)", 64_000, ("0.1", "0.5", "0.01", "0.125", "0.2")),
    ("claude-sonnet-4-5", "Claude Sonnet 4.5 (simulated)", 64_000, ("3", "15", "0.3", "3.75", "6")),
]


def seed(apps, schema_editor):
    tier = apps.get_model("gateway", "Tier")
    for name, limits in TIERS.items():
        tier.objects.create(name=name, limits=limits)

    provider = apps.get_model("gateway", "Provider").objects.create(
        name="simulator", origin="simulator", dialect="simulator"
    )
    now = timezone.now()
    for age, (name, display_name, output, rates) in enumerate(SIMULATED):
        model = apps.get_model("gateway", "Model").objects.create(
            name=name,
            origin="simulator",
            display_name=display_name,
            created_at=now - datetime.timedelta(seconds=age),  # lists show the newest first
            max_input_tokens=200_000,
            max_output_tokens=output,
        )
        apps.get_model("gateway", "Route").objects.create(model=model, provider=provider, upstream_model=name)
        kinds = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")
        apps.get_model("gateway", "Price").objects.create(
            model=model,
            model_name=name,
            **{kind: Decimal(rate) for kind, rate in zip(kinds, rates, strict=True)},
        )


class Migration(migrations.Migration):
    dependencies = [("gateway", "0002_ledger")]
    operations = [migrations.RunPython(seed, migrations.RunPython.noop)]
