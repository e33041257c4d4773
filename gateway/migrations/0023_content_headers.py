from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0022_sso"),
    ]

    operations = [
        migrations.AddField(
            model_name="requestcontent",
            name="headers",
            field=models.BinaryField(null=True),
        ),
    ]
