from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0023_content_headers"),
    ]

    operations = [
        migrations.AddField(model_name="usageevent", name=name, field=models.IntegerField(null=True))
        for name in ("checked_ms", "admitted_ms")
    ]
