"""The Playground: keys that stand for what people send from it, and the prompts that they keep."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import gateway.models.identifiers


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0018_key_uses"),
    ]

    operations = [
        migrations.AlterField(
            model_name="apikey",
            name="kind",
            field=models.CharField(
                choices=[("api", "Api"), ("admin", "Admin"), ("playground", "Playground")], max_length=16
            ),
        ),
        migrations.AddConstraint(
            model_name="apikey",
            constraint=models.UniqueConstraint(
                condition=models.Q(("kind", "playground")),
                fields=("workspace", "user"),
                name="playground_key_unique",
            ),
        ),
        migrations.CreateModel(
            name="SavedPrompt",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=gateway.models.identifiers.saved_prompt_id,
                        editable=False,
                        max_length=40,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("content", models.JSONField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "organization",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="gateway.organization",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "user", "name"), name="saved_prompt_unique"
                    )
                ],
            },
        ),
    ]
