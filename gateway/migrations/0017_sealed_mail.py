"""Mails that hold a secret wait encrypted."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0016_request_contents"),
    ]

    operations = [
        migrations.AddField(
            model_name="mail",
            name="sealed",
            field=models.BinaryField(null=True),
        ),
    ]
