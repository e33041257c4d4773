"""What single keys used, day by day: the spend of a member is a sum over a few of the organization's keys."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0007_usage_costs"),
    ]

    operations = [
        migrations.AddIndex(
            model_name="usageday",
            index=models.Index(fields=["organization_id", "api_key_id", "bucket"], name="usage_day_by_key"),
        ),
    ]
