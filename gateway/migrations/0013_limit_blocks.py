"""Requests that a limit turned away: a new table, partitioned by day like the ledger."""

from django.db import migrations, models

# Django's models cannot say it; `LIKE` takes what they can.
PARTITION = """
ALTER TABLE limit_block RENAME TO limit_block_unpartitioned;
CREATE TABLE limit_block (LIKE limit_block_unpartitioned INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY RANGE (day);
DROP TABLE limit_block_unpartitioned;
ALTER TABLE limit_block ADD PRIMARY KEY (day, id);
"""

INDEXES = {
    "limit_block_by_time": ["organization_id", "at"],
    "limit_block_by_request": ["organization_id", "request_id"],
    "limit_block_by_key": ["organization_id", "api_key_id", "at"],
}


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0012_spend_alerts_and_credit"),
    ]

    operations = [
        migrations.CreateModel(
            name="LimitBlock",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "day", "id", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("day", models.DateField()),
                ("id", models.CharField(max_length=40)),
                ("at", models.DateTimeField()),
                ("request_id", models.CharField(max_length=64)),
                ("organization_id", models.UUIDField()),
                ("workspace_id", models.CharField(max_length=40)),
                ("api_key_id", models.CharField(max_length=40)),
                ("model", models.CharField(max_length=200)),
                ("endpoint", models.CharField(max_length=32)),
                ("kind", models.CharField(max_length=16)),
                ("scope_type", models.CharField(max_length=16)),
                ("scope_id", models.CharField(max_length=40)),
                ("pool", models.CharField(blank=True, max_length=200)),
                ("limiter", models.CharField(max_length=64)),
                ("limit_value", models.BigIntegerField()),
                ("needed", models.BigIntegerField()),
                ("remaining", models.BigIntegerField()),
                ("retry_after_ms", models.BigIntegerField(null=True)),
                ("spend_limit_id", models.CharField(blank=True, max_length=40)),
            ],
            options={"db_table": "limit_block"},
        ),
        migrations.RunSQL(PARTITION, migrations.RunSQL.noop),
        *(
            migrations.AddIndex(model_name="limitblock", index=models.Index(fields=fields, name=name))
            for name, fields in INDEXES.items()
        ),
    ]
