"""What the Admin API manages beside what is there: service accounts, spend limits, rotation, operator keys."""

import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import gateway.models.identifiers


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0005_simulated_models"),
    ]

    operations = [
        migrations.CreateModel(
            name="OperatorKey",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=gateway.models.identifiers.operator_key_id,
                        editable=False,
                        max_length=40,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("digest", models.BinaryField(unique=True)),
                ("hint", models.CharField(max_length=64)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField(null=True)),
                ("revoked_at", models.DateTimeField(null=True)),
            ],
        ),
        migrations.CreateModel(
            name="ServiceAccount",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=gateway.models.identifiers.service_account_id,
                        editable=False,
                        max_length=40,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=64)),
                ("description", models.CharField(blank=True, max_length=1000)),
                (
                    "organization_role",
                    models.CharField(
                        choices=[("admin", "Admin"), ("developer", "Developer")],
                        default="developer",
                        max_length=16,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("created_by_actor_id", models.CharField(max_length=40, null=True)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_by_actor_id", models.CharField(max_length=40, null=True)),
                ("archived_at", models.DateTimeField(null=True)),
                ("archived_by_actor_id", models.CharField(max_length=40, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="ServiceAccountWorkspace",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("workspace_user", "User"),
                            ("workspace_developer", "Developer"),
                            ("workspace_restricted_developer", "Restricted Developer"),
                            ("workspace_admin", "Admin"),
                            ("workspace_billing", "Billing"),
                        ],
                        max_length=40,
                    ),
                ),
                ("added_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("created_by_actor_id", models.CharField(max_length=40, null=True)),
            ],
        ),
        migrations.CreateModel(
            name="SpendLimit",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=gateway.models.identifiers.spend_limit_id,
                        editable=False,
                        max_length=40,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "period",
                    models.CharField(
                        choices=[("daily", "Daily"), ("weekly", "Weekly"), ("monthly", "Monthly")],
                        max_length=8,
                    ),
                ),
                ("amount", models.BigIntegerField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("updated_at", models.DateTimeField(default=django.utils.timezone.now)),
            ],
        ),
        migrations.CreateModel(
            name="SpendLimitIncreaseRequest",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=gateway.models.identifiers.spend_limit_increase_request_id,
                        editable=False,
                        max_length=40,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                (
                    "period",
                    models.CharField(
                        choices=[("daily", "Daily"), ("weekly", "Weekly"), ("monthly", "Monthly")],
                        max_length=8,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=1000)),
                (
                    "status",
                    models.CharField(
                        choices=[("pending", "Pending"), ("approved", "Approved"), ("denied", "Denied")],
                        default="pending",
                        max_length=8,
                    ),
                ),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("resolved_at", models.DateTimeField(null=True)),
                ("resolved_by_type", models.CharField(blank=True, max_length=16)),
                ("resolved_by_id", models.CharField(blank=True, max_length=64)),
            ],
        ),
        migrations.AddField(
            model_name="apikey",
            name="allowed_ips",
            field=models.JSONField(default=list),
        ),
        migrations.AddField(
            model_name="apikey",
            name="previous_digest",
            field=models.BinaryField(null=True, unique=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="previous_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="apikey",
            name="user",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="+",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="workspace",
            name="allowed_inference_geos",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="workspace",
            name="default_inference_geo",
            field=models.CharField(default="global", max_length=16),
        ),
        migrations.AddIndex(
            model_name="membership",
            index=models.Index(fields=["organization", "added_at", "user"], name="membership_by_age"),
        ),
        migrations.AddField(
            model_name="serviceaccount",
            name="organization",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="service_accounts",
                to="gateway.organization",
            ),
        ),
        migrations.AddField(
            model_name="apikey",
            name="service_account",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.SET_NULL,
                related_name="api_keys",
                to="gateway.serviceaccount",
            ),
        ),
        migrations.AddField(
            model_name="serviceaccountworkspace",
            name="organization",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="gateway.organization",
            ),
        ),
        migrations.AddField(
            model_name="serviceaccountworkspace",
            name="service_account",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE,
                related_name="workspaces",
                to="gateway.serviceaccount",
            ),
        ),
        migrations.AddField(
            model_name="serviceaccountworkspace",
            name="workspace",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="service_accounts",
                to="gateway.workspace",
            ),
        ),
        migrations.AddField(
            model_name="spendlimit",
            name="api_key",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="spend_limits",
                to="gateway.apikey",
            ),
        ),
        migrations.AddField(
            model_name="spendlimit",
            name="organization",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="spend_limits",
                to="gateway.organization",
            ),
        ),
        migrations.AddField(
            model_name="spendlimit",
            name="user",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="spend_limits",
                to=settings.AUTH_USER_MODEL,
            ),
        ),
        migrations.AddField(
            model_name="spendlimit",
            name="workspace",
            field=models.ForeignKey(
                null=True,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="spend_limits",
                to="gateway.workspace",
            ),
        ),
        migrations.AddField(
            model_name="spendlimitincreaserequest",
            name="organization",
            field=models.ForeignKey(
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                related_name="+",
                to="gateway.organization",
            ),
        ),
        migrations.AddField(
            model_name="spendlimitincreaserequest",
            name="user",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
            ),
        ),
        migrations.AddIndex(
            model_name="serviceaccount",
            index=models.Index(fields=["organization", "created_at", "id"], name="service_account_by_age"),
        ),
        migrations.AddConstraint(
            model_name="serviceaccount",
            constraint=models.UniqueConstraint(
                condition=models.Q(("archived_at", None)),
                fields=("organization", "name"),
                name="service_account_name_unique",
            ),
        ),
        migrations.AddConstraint(
            model_name="serviceaccountworkspace",
            constraint=models.UniqueConstraint(
                fields=("organization", "workspace", "service_account"),
                name="service_account_workspace_unique",
            ),
        ),
        migrations.AddIndex(
            model_name="spendlimit",
            index=models.Index(fields=["organization", "created_at", "id"], name="spend_limit_by_age"),
        ),
        migrations.AddConstraint(
            model_name="spendlimit",
            constraint=models.UniqueConstraint(
                fields=("organization", "workspace", "user", "api_key", "period"),
                name="spend_limit_unique",
                nulls_distinct=False,
            ),
        ),
        migrations.AddConstraint(
            model_name="spendlimit",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("user", None), ("workspace", None)),
                    models.Q(("api_key", None), ("workspace", None)),
                    models.Q(("api_key", None), ("user", None)),
                    _connector="OR",
                ),
                name="spend_limit_one_scope",
            ),
        ),
        migrations.AddIndex(
            model_name="spendlimitincreaserequest",
            index=models.Index(fields=["organization", "created_at", "id"], name="spend_increase_by_age"),
        ),
        migrations.AddConstraint(
            model_name="spendlimitincreaserequest",
            constraint=models.UniqueConstraint(
                condition=models.Q(("status", "pending")),
                fields=("organization", "user", "period"),
                name="spend_increase_one_pending",
            ),
        ),
    ]
