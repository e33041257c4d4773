"""Identity providers of organizations: what each is, whose domains it has, and who need not come through it."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import gateway.models.identifiers


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0021_request_log"),
    ]

    operations = [
        migrations.AddField(
            model_name="organization",
            name="require_sso",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="organization",
            name="sso_domains",
            field=models.JSONField(db_default=[], default=list),
        ),
        migrations.CreateModel(
            name="SsoConnection",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=gateway.models.identifiers.sso_connection_id,
                        editable=False,
                        max_length=40,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "kind",
                    models.CharField(choices=[("oidc", "Oidc"), ("saml", "Saml")], max_length=8),
                ),
                ("issuer", models.CharField(blank=True, max_length=2000)),
                ("client_id", models.CharField(blank=True, max_length=191)),
                ("encrypted_client_secret", models.BinaryField(null=True)),
                ("entity_id", models.CharField(blank=True, max_length=1024)),
                ("sso_url", models.CharField(blank=True, max_length=2000)),
                ("certificate", models.TextField(blank=True)),
                ("version", models.IntegerField(default=1)),
                (
                    "state",
                    models.CharField(
                        choices=[("draft", "Draft"), ("tested", "Tested"), ("on", "On")],
                        default="draft",
                        max_length=8,
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("user", "User"),
                            ("developer", "Developer"),
                            ("billing", "Billing"),
                            ("admin", "Admin"),
                            ("claude_code_user", "Claude Code User"),
                        ],
                        max_length=32,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                (
                    "break_glass",
                    models.ManyToManyField(
                        db_table="sso_break_glass", related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
                (
                    "organization",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="sso_connection",
                        to="gateway.organization",
                    ),
                ),
            ],
            options={
                "db_table": "sso_connection",
            },
        ),
        migrations.CreateModel(
            name="SsoDomain",
            fields=[
                ("name", models.CharField(max_length=253, primary_key=True, serialize=False)),
                (
                    "connection",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="domains",
                        to="gateway.ssoconnection",
                    ),
                ),
            ],
            options={
                "db_table": "sso_domain",
            },
        ),
    ]
