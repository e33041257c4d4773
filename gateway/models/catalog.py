"""The catalog: providers, the models they serve, the routes between them, and prices.

Rows with origin `simulator` are made by a migration and served only where the simulator is on; rows of
origin `configured` come from operators and win where both claim a name.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db import models
from django.utils import timezone


class Origin(models.TextChoices):
    CONFIGURED = "configured"
    SIMULATOR = "simulator"


class Provider(models.Model):
    """An address that answers for models. `preset` names a row of `protocol/vendors.py`, or nothing.

    One that was drained (`drained_at`) gets no new requests; what it is at work on comes to its end.

    Timeouts are seconds; a null one means the default: connect 5, first byte 60 for streams and 600 for
    JSON answers, idle (between two events) 60. `batches` are `native` where it takes message batches itself.
    """

    class Dialect(models.TextChoices):
        ANTHROPIC = "anthropic"
        OPENAI = "openai"
        SIMULATOR = "simulator"

    class OnDisconnect(models.TextChoices):
        ABORT = "abort"
        DRAIN = "drain"

    class Batches(models.TextChoices):
        EMULATED = "emulated"
        NATIVE = "native"

    name = models.CharField(max_length=64, unique=True)
    origin = models.CharField(max_length=16, choices=Origin, default=Origin.CONFIGURED)
    preset = models.CharField(max_length=64, blank=True)
    dialect = models.CharField(max_length=16, choices=Dialect)
    base_url = models.CharField(max_length=500, blank=True)
    connect_timeout = models.FloatField(null=True)
    first_byte_timeout = models.FloatField(null=True)
    idle_timeout = models.FloatField(null=True)
    on_disconnect = models.CharField(max_length=8, choices=OnDisconnect, default=OnDisconnect.ABORT)
    batches = models.CharField(
        max_length=8, choices=Batches, default=Batches.EMULATED, db_default=Batches.EMULATED
    )
    drained_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return self.name


class ProviderKey(models.Model):
    """A credential of a provider (encrypted, write-only). A provider has any number, used by `weight`.

    A row's secret never changes: another secret is another row, so that what was learned about a key by its
    id stays true.
    """

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="keys")
    encrypted_api_key = models.BinaryField()
    api_key_hint = models.CharField(max_length=16, blank=True)
    weight = models.PositiveIntegerField(default=100)
    position = models.PositiveIntegerField(default=0)

    class Meta:
        ordering = ["position", "id"]


class ModelGroup(models.Model):
    """Models whose requests and tokens are counted together; a pool of limits, named by `name`."""

    name = models.CharField(max_length=64, unique=True)
    display_name = models.CharField(max_length=200)

    def __str__(self) -> str:
        return self.name


class Model(models.Model):
    """A name that clients may ask for. Without a `group` it counts in the pool `default`."""

    name = models.CharField(max_length=200)
    origin = models.CharField(max_length=16, choices=Origin, default=Origin.CONFIGURED)
    display_name = models.CharField(max_length=200)
    group = models.ForeignKey(ModelGroup, null=True, on_delete=models.PROTECT, related_name="models")
    max_input_tokens = models.PositiveIntegerField(null=True)
    max_output_tokens = models.PositiveIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["name", "origin"], name="model_name_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def price(self) -> Price | None:
        """The price in force now."""
        return self.prices.filter(effective_at__lte=timezone.now()).order_by("-effective_at", "-id").first()


class ModelAlias(models.Model):
    """Another name of a model; unique among configured names."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="aliases")
    alias = models.CharField(max_length=200, unique=True)


class Route(models.Model):
    """Where a model is served: lower `priority` first, by `weight` within one priority."""

    model = models.ForeignKey(Model, on_delete=models.CASCADE, related_name="routes")
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="routes")
    upstream_model = models.CharField(max_length=200)
    priority = models.PositiveIntegerField(default=1)
    weight = models.PositiveIntegerField(default=100)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["model", "provider", "upstream_model"], name="route_unique"),
        ]


def _rate(**options: Any) -> models.DecimalField:
    return models.DecimalField(max_digits=20, decimal_places=10, **options)


class Price(models.Model):
    """One version of a model's price, in US dollars per million tokens; the row's id is the version.

    Rows are never changed: usage events point at the version that they were charged by. Of two that begin at the
    same moment the later row counts. `web_search` is of a thousand searches, `batch_factor` what tokens of a batch
    cost of the price. Above `long_context_threshold` input tokens, cached or not, a request is charged by the
    `long_context_` rates; all of these are null or none.
    """

    model = models.ForeignKey(Model, null=True, on_delete=models.SET_NULL, related_name="prices")
    model_name = models.CharField(max_length=200)
    effective_at = models.DateTimeField(default=timezone.now)
    input = _rate()
    output = _rate()
    cache_read = _rate()
    cache_write_5m = _rate()
    cache_write_1h = _rate()
    batch_factor = _rate(default=Decimal("0.5"), db_default=Decimal("0.5"))
    web_search = _rate(default=0, db_default=0)
    long_context_threshold = models.PositiveIntegerField(null=True)
    long_context_input = _rate(null=True)
    long_context_output = _rate(null=True)
    long_context_cache_read = _rate(null=True)
    long_context_cache_write_5m = _rate(null=True)
    long_context_cache_write_1h = _rate(null=True)
