"""When each key was last used: filled from the sums of days, and so with midnights, for what was before."""

import django.db.models.deletion
from django.db import migrations, models

FILL = """
INSERT INTO api_key_use (api_key_id, organization_id, at, user_agent, address)
SELECT DISTINCT ON (api_key_id) api_key_id, organization_id, bucket, '', ''
  FROM usage_day ORDER BY api_key_id, bucket DESC
"""


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0017_sealed_mail"),
    ]

    operations = [
        migrations.CreateModel(
            name="ApiKeyUse",
            fields=[
                (
                    "api_key",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="use",
                        serialize=False,
                        to="gateway.apikey",
                    ),
                ),
                ("organization_id", models.UUIDField()),
                ("at", models.DateTimeField()),
                ("user_agent", models.CharField(blank=True, max_length=200)),
                ("address", models.CharField(blank=True, max_length=45)),
            ],
            options={
                "db_table": "api_key_use",
            },
        ),
        migrations.RunSQL(FILL, migrations.RunSQL.noop),
    ]
