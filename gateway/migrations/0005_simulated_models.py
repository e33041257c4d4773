"""Further models of the simulator: those that Claude Code asks for as long as nobody names one to it."""

import datetime
from decimal import Decimal

from django.db import migrations

# name, display name, output limit, then dollars per million tokens: input, output, cache read, write 5m, write 1h
SIMULATED = [
    ("claude-fable-5-2", "Claude Fable 5.2 (simulated)", 128_000, ("10", "50", "0.25", "12.5", "20")),
    ("claude-fable-5", "Claude Fable 5 (simulated)", 128_000, ("10", "50", "1", "12.5", "20")),
    ("claude-opus-4-8", "Claude Opus 4.8 (simulated)", 128_000, ("5", "25", "0.5", "6.25", "10")),
    ("claude-sonnet-5", "Claude Sonnet 5 (simulated)", 128_000, ("2", "10", "0.2", "2.5", "4")),
    ("claude-haiku-4-5", "Claude Haiku 4.5 (simulated)", 64_000, ("1", "5", "0.1", "1.25", "2")),
]
KINDS = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


def add(apps, schema_editor):
    """Older than the models that are there, so that lists go on showing those first."""
    models = apps.get_model("gateway", "Model")
    provider = apps.get_model("gateway", "Provider").objects.get(name="simulator", origin="simulator")
    oldest = models.objects.filter(origin="simulator").order_by("created_at").first().created_at
    for age, (name, display_name, output, rates) in enumerate(SIMULATED, 1):
        model = models.objects.create(
            name=name,
            origin="simulator",
            display_name=display_name,
            created_at=oldest - datetime.timedelta(seconds=age),
            max_input_tokens=200_000,
            max_output_tokens=output,
        )
        apps.get_model("gateway", "Route").objects.create(model=model, provider=provider, upstream_model=name)
        apps.get_model("gateway", "Price").objects.create(
            model=model, model_name=name, **dict(zip(KINDS, map(Decimal, rates), strict=True))
        )


def remove(apps, schema_editor):
    names = [name for name, *_ in SIMULATED]
    apps.get_model("gateway", "Model").objects.filter(origin="simulator", name__in=names).delete()


class Migration(migrations.Migration):
    dependencies = [("gateway", "0004_provider_keys")]
    operations = [migrations.RunPython(add, remove)]
