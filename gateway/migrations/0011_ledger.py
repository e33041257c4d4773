"""From which day on partitioned tables are complete: what was dropped for its age is not made again."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0010_prices"),
    ]

    operations = [
        migrations.CreateModel(
            name="PartitionHorizon",
            fields=[
                ("table_name", models.CharField(max_length=63, primary_key=True, serialize=False)),
                ("kept_from", models.DateField()),
            ],
            options={
                "db_table": "partition_horizon",
            },
        ),
    ]
