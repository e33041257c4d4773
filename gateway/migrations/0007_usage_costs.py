"""What each class of tokens cost, beside what an attempt cost, and the sessions of Claude Code.

Old rows are filled from the price versions that they were charged by. What an attempt cost stays what it was; what
rounding leaves over goes to the output. The rollups of days whose events are gone keep all of their cost there.
"""

from django.db import migrations, models

TABLES = ("usageevent", "usageminute", "usagehour", "usageday")
COSTS = ("input_cost", "cache_read_cost", "cache_write_5m_cost", "cache_write_1h_cost", "output_cost")
ROLLUPS = {"usage_minute": "minute", "usage_hour": "hour", "usage_day": "day"}

# Cut off and not rounded, so that what is left for the output is never less than nothing.
PARTS = {
    f"{name}_cost": f"trunc(price.{name} * event.{name}_tokens"
    " * CASE event.service_tier WHEN 'batch' THEN 0.0000005 ELSE 0.000001 END, 16)"
    for name in ("input", "cache_read", "cache_write_5m", "cache_write_1h")
}
FILL_EVENTS = f"""
UPDATE usage_event AS event
SET {", ".join(f"{name} = {part}" for name, part in PARTS.items())}, output_cost = cost - {" - ".join(PARTS.values())}
FROM gateway_price AS price WHERE price.id = event.price_version AND cost <> 0
"""

FILL_ROLLUP = """
UPDATE {table} SET output_cost = cost WHERE cost <> 0;
UPDATE {table} AS total SET
    input_cost = part.input, cache_read_cost = part.cache_read,
    cache_write_5m_cost = part.cache_write_5m, cache_write_1h_cost = part.cache_write_1h,
    output_cost = total.cost - part.input - part.cache_read - part.cache_write_5m - part.cache_write_1h
FROM (
    SELECT organization_id, date_trunc('{period}', at, 'UTC') AS bucket, workspace_id, api_key_id, model, provider,
        service_tier, inference_geo,
        CASE WHEN input_tokens + cache_read_tokens + cache_write_5m_tokens + cache_write_1h_tokens > 200000
            THEN '200k-1M' ELSE '0-200k' END AS context_window,
        sum(input_cost) AS input, sum(cache_read_cost) AS cache_read,
        sum(cache_write_5m_cost) AS cache_write_5m, sum(cache_write_1h_cost) AS cache_write_1h
    FROM usage_event WHERE cost <> 0
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9
) AS part
WHERE (total.organization_id, total.bucket, total.workspace_id, total.api_key_id, total.model, total.provider,
       total.service_tier, total.inference_geo, total.context_window)
    = (part.organization_id, part.bucket, part.workspace_id, part.api_key_id, part.model, part.provider,
       part.service_tier, part.inference_geo, part.context_window)
"""

FILL_SESSIONS = r"""
INSERT INTO usage_session (organization_id, day, api_key_id, session_id, terminal, model, requests, input_tokens,
    cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, cost)
SELECT organization_id, day, api_key_id, session_id,
    coalesce(left(substring(user_agent FROM '^[^(]*\([^,)]*,\s*([^,)\s][^,)]*)'), 64), 'unknown'), model, count(*),
    sum(input_tokens), sum(cache_read_tokens), sum(cache_write_5m_tokens), sum(cache_write_1h_tokens),
    sum(output_tokens), sum(cost)
FROM usage_event WHERE starts_with(user_agent, 'claude-cli/')
GROUP BY 1, 2, 3, 4, 5, 6
"""


def money() -> models.DecimalField:
    return models.DecimalField(max_digits=30, decimal_places=16, default=0)


def tokens() -> models.BigIntegerField:
    return models.BigIntegerField(default=0)


class Migration(migrations.Migration):
    dependencies = [("gateway", "0006_admin_api")]
    operations = [
        migrations.CreateModel(
            name="UsageSession",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "organization_id",
                        "day",
                        "api_key_id",
                        "session_id",
                        "terminal",
                        "model",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("organization_id", models.UUIDField()),
                ("day", models.DateField()),
                ("api_key_id", models.CharField(max_length=40)),
                ("session_id", models.CharField(max_length=200)),
                ("terminal", models.CharField(max_length=64)),
                ("model", models.CharField(max_length=200)),
                ("requests", tokens()),
                ("input_tokens", tokens()),
                ("cache_read_tokens", tokens()),
                ("cache_write_5m_tokens", tokens()),
                ("cache_write_1h_tokens", tokens()),
                ("output_tokens", tokens()),
                ("cost", money()),
            ],
            options={"db_table": "usage_session"},
        ),
        *(migrations.AddField(table, name, money()) for table in TABLES for name in COSTS),
        migrations.RunSQL(FILL_EVENTS, migrations.RunSQL.noop),
        *(
            migrations.RunSQL(FILL_ROLLUP.format(table=table, period=period), migrations.RunSQL.noop)
            for table, period in ROLLUPS.items()
        ),
        migrations.RunSQL(FILL_SESSIONS, migrations.RunSQL.noop),
    ]
