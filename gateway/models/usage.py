"""The ledger and its rollups. Tenant ids are plain columns: history outlives what it tells of.

`usage_event` is partitioned by day (migration 0002); rows come only from `metering/drain.py`.
"""

from __future__ import annotations

from django.db import models
from django.db.models import Q


def _tokens() -> models.BigIntegerField:
    return models.BigIntegerField(default=0)


def _cost() -> models.DecimalField:
    """US dollars. Without a default in the database: a program that does not know the column must not write."""
    return models.DecimalField(max_digits=30, decimal_places=16, default=0)


def _later_cost() -> models.DecimalField:
    """With a default in the database: a drain of the version before knows no such cost, and its sums are right
    without it."""
    return models.DecimalField(max_digits=30, decimal_places=16, default=0, db_default=0)


class UsageEvent(models.Model):
    """One attempt at one provider. `at` is when it began, read from the attempt id, as `day` is.

    `usage_source` is `reported` (the provider's figures), `estimated` or `unknown`; `cost` is in US dollars, and
    exactly the sum of the costs of the five token classes and of web searches. Times are counted from the beginning of
    the request: until its key and body were `checked`, until limits and budgets had `admitted` it, and so on.
    """

    pk = models.CompositePrimaryKey("day", "attempt_id")
    day = models.DateField()
    attempt_id = models.UUIDField()
    at = models.DateTimeField()
    request_id = models.CharField(max_length=64)
    organization_id = models.UUIDField()
    workspace_id = models.CharField(max_length=40)
    api_key_id = models.CharField(max_length=40)
    endpoint = models.CharField(max_length=32)
    attempt = models.SmallIntegerField(default=1)
    model_requested = models.CharField(max_length=200)
    model = models.CharField(max_length=200)
    provider = models.CharField(max_length=64)
    upstream_model = models.CharField(max_length=200)
    stream = models.BooleanField()
    status = models.SmallIntegerField()
    error_type = models.CharField(max_length=64, blank=True)
    stop_reason = models.CharField(max_length=64, blank=True)
    usage_source = models.CharField(max_length=16)
    input_tokens = _tokens()
    cache_read_tokens = _tokens()
    cache_write_5m_tokens = _tokens()
    cache_write_1h_tokens = _tokens()
    output_tokens = _tokens()
    web_search_requests = models.IntegerField(default=0)
    service_tier = models.CharField(max_length=32)
    inference_geo = models.CharField(max_length=32, blank=True)
    price_version = models.BigIntegerField(null=True)
    cost = _cost()
    input_cost = _cost()
    cache_read_cost = _cost()
    cache_write_5m_cost = _cost()
    cache_write_1h_cost = _cost()
    output_cost = _cost()
    web_search_cost = _later_cost()
    latency_ms = models.IntegerField()
    time_to_first_token_ms = models.IntegerField(null=True)
    checked_ms = models.IntegerField(null=True)
    admitted_ms = models.IntegerField(null=True)
    user_agent = models.CharField(max_length=200, blank=True)
    session_id = models.CharField(max_length=200, blank=True)

    class Meta:
        db_table = "usage_event"
        indexes = [
            models.Index(fields=["organization_id", "at"], name="usage_event_by_time"),
            models.Index(fields=["organization_id", "request_id"], name="usage_event_by_request"),
            models.Index(
                fields=["organization_id", "at"], name="usage_event_failed", condition=Q(status__gte=400)
            ),
            models.Index(fields=["organization_id", "api_key_id", "at"], name="usage_event_by_key"),
            models.Index(
                fields=["organization_id", "session_id", "at"],
                name="usage_event_by_session",
                condition=~Q(session_id=""),
            ),
        ]


class Rollup(models.Model):
    """Sums over one bucket of time; written in the transaction that writes the events."""

    pk = models.CompositePrimaryKey(
        "organization_id",
        "bucket",
        "workspace_id",
        "api_key_id",
        "model",
        "provider",
        "service_tier",
        "context_window",
        "inference_geo",
    )
    organization_id = models.UUIDField()
    bucket = models.DateTimeField()
    workspace_id = models.CharField(max_length=40)
    api_key_id = models.CharField(max_length=40)
    model = models.CharField(max_length=200)
    provider = models.CharField(max_length=64)
    service_tier = models.CharField(max_length=32)
    context_window = models.CharField(max_length=16)
    inference_geo = models.CharField(max_length=32)
    requests = models.BigIntegerField(default=0)
    errors = models.BigIntegerField(default=0)
    input_tokens = _tokens()
    cache_read_tokens = _tokens()
    cache_write_5m_tokens = _tokens()
    cache_write_1h_tokens = _tokens()
    output_tokens = _tokens()
    web_search_requests = models.BigIntegerField(default=0)
    cost = _cost()
    input_cost = _cost()
    cache_read_cost = _cost()
    cache_write_5m_cost = _cost()
    cache_write_1h_cost = _cost()
    output_cost = _cost()
    web_search_cost = _later_cost()
    latency_ms = models.BigIntegerField(default=0)
    time_to_first_token_ms = models.BigIntegerField(default=0)
    first_tokens = models.BigIntegerField(default=0)
    unpriced_requests = models.BigIntegerField(default=0, db_default=0)

    class Meta:
        abstract = True


class UsageMinute(Rollup):
    class Meta:
        db_table = "usage_minute"


class UsageHour(Rollup):
    class Meta:
        db_table = "usage_hour"


class UsageDay(Rollup):
    """Also read by key: what a member spent is the sum over a few of the organization's keys."""

    class Meta:
        db_table = "usage_day"
        indexes = [models.Index(fields=["organization_id", "api_key_id", "bucket"], name="usage_day_by_key")]


class UsageSession(models.Model):
    """Sums over one UTC day, one session of Claude Code, one model and one terminal, as the user agent names it.

    Written like the rollups; `session_id` is empty where the client told none.
    """

    pk = models.CompositePrimaryKey("organization_id", "day", "api_key_id", "session_id", "terminal", "model")
    organization_id = models.UUIDField()
    day = models.DateField()
    api_key_id = models.CharField(max_length=40)
    session_id = models.CharField(max_length=200)
    terminal = models.CharField(max_length=64)
    model = models.CharField(max_length=200)
    requests = models.BigIntegerField(default=0)
    input_tokens = _tokens()
    cache_read_tokens = _tokens()
    cache_write_5m_tokens = _tokens()
    cache_write_1h_tokens = _tokens()
    output_tokens = _tokens()
    cost = _cost()

    class Meta:
        db_table = "usage_session"


class PartitionHorizon(models.Model):
    """The first day of which a table partitioned by day still has everything; no row while nothing was dropped.

    Moved in the transaction that drops a partition. An event of an earlier day is refused, since nobody could tell
    whether it was counted before.
    """

    table_name = models.CharField(max_length=63, primary_key=True)
    kept_from = models.DateField()

    class Meta:
        db_table = "partition_horizon"
