"""Several keys for each provider, presets of vendors, and which models a tenant may use.

The one key that stood in a provider's row becomes the first row of its keys. Backwards, the first key goes into
the provider's row again, and the others are lost: there is no place for them.
"""

import django.db.models.deletion
from django.db import migrations, models

INTO_ROWS = """
INSERT INTO gateway_providerkey (provider_id, encrypted_api_key, api_key_hint, weight, position)
SELECT id, encrypted_api_key, api_key_hint, 100, 0
  FROM gateway_provider
 WHERE encrypted_api_key IS NOT NULL
 ORDER BY id;
"""

INTO_COLUMNS = """
UPDATE gateway_provider p
   SET encrypted_api_key = k.encrypted_api_key, api_key_hint = k.api_key_hint
  FROM (SELECT DISTINCT ON (provider_id) * FROM gateway_providerkey ORDER BY provider_id, position, id) k
 WHERE k.provider_id = p.id;
"""


def model_rules(holder):
    return [
        migrations.AddField(holder, name, models.JSONField(default=list))
        for name in ("allowed_models", "denied_models")
    ]


class Migration(migrations.Migration):
    dependencies = [("gateway", "0003_defaults")]
    operations = [
        migrations.AddField("provider", "preset", models.CharField(blank=True, max_length=64)),
        migrations.CreateModel(
            name="ProviderKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("encrypted_api_key", models.BinaryField()),
                ("api_key_hint", models.CharField(blank=True, max_length=16)),
                ("weight", models.PositiveIntegerField(default=100)),
                ("position", models.PositiveIntegerField(default=0)),
                (
                    "provider",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="keys",
                        to="gateway.provider",
                    ),
                ),
            ],
            options={"ordering": ["position", "id"]},
        ),
        migrations.RunSQL(INTO_ROWS, INTO_COLUMNS),
        migrations.RemoveField("provider", "encrypted_api_key"),
        migrations.RemoveField("provider", "api_key_hint"),
        *model_rules("organization"),
        *model_rules("workspace"),
        *model_rules("apikey"),
    ]
