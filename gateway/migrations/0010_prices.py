"""Prices of long contexts, batches and web searches; what searches cost, and which requests had no price.

Only columns with constant defaults and nullable ones, so that no table is rewritten. The defaults stay in the
database: a drain of the version before may go on for a while, and charges no searches.
"""

from decimal import Decimal

from django.db import migrations, models

TABLES = ("usageevent", "usageminute", "usagehour", "usageday")
ROLLUPS = TABLES[1:]
CLASSES = ("input", "output", "cache_read", "cache_write_5m", "cache_write_1h")


def rate(**options: object) -> models.DecimalField:
    return models.DecimalField(max_digits=20, decimal_places=10, **options)


class Migration(migrations.Migration):
    dependencies = [("gateway", "0009_model_groups")]
    operations = [
        migrations.AddField("price", "batch_factor", rate(default=Decimal("0.5"), db_default=Decimal("0.5"))),
        migrations.AddField("price", "web_search", rate(default=0, db_default=0)),
        migrations.AddField("price", "long_context_threshold", models.PositiveIntegerField(null=True)),
        *(migrations.AddField("price", f"long_context_{name}", rate(null=True)) for name in CLASSES),
        *(
            migrations.AddField(
                table,
                "web_search_cost",
                models.DecimalField(max_digits=30, decimal_places=16, default=0, db_default=0),
            )
            for table in TABLES
        ),
        *(
            migrations.AddField(table, "unpriced_requests", models.BigIntegerField(default=0, db_default=0))
            for table in ROLLUPS
        ),
    ]
