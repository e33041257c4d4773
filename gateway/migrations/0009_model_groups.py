"""Groups of models, each a pool of its own, and limits for single pools beside those that hold in all of them.

The new columns have their default in the database too: while an older release still runs, it makes rows without them.
"""

import django.db.models.deletion
from django.db import migrations, models

HOLDERS = ("tier", "organization", "workspace", "apikey")


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0008_usage_day_by_key"),
    ]

    operations = [
        migrations.CreateModel(
            name="ModelGroup",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("name", models.CharField(max_length=64, unique=True)),
                ("display_name", models.CharField(max_length=200)),
            ],
        ),
        migrations.AddField(
            model_name="model",
            name="group",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="models",
                to="gateway.modelgroup",
            ),
        ),
        *(
            migrations.AddField(
                model_name=holder,
                name="group_limits",
                field=models.JSONField(db_default={}, default=dict),
            )
            for holder in HOLDERS
        ),
    ]
