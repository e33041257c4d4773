"""Message batches with their items and runners, calls that are made once, and providers that take batches."""

import django.db.models.deletion
import django.utils.timezone
from django.db import migrations, models

import gateway.models.identifiers


class Migration(migrations.Migration):
    dependencies = [
        ("gateway", "0013_limit_blocks"),
    ]

    operations = [
        migrations.CreateModel(
            name="BatchRunner",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("started_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("seen_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("host", models.CharField(blank=True, max_length=200)),
            ],
            options={
                "db_table": "message_batch_runner",
            },
        ),
        migrations.CreateModel(
            name="BatchTally",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                ("sent", models.BigIntegerField(default=0)),
                ("finished", models.BigIntegerField(default=0)),
                ("requeued", models.BigIntegerField(default=0)),
                ("refused", models.BigIntegerField(default=0)),
            ],
            options={
                "db_table": "message_batch_tally",
            },
        ),
        migrations.AddField(
            model_name="provider",
            name="batches",
            field=models.CharField(
                choices=[("emulated", "Emulated"), ("native", "Native")],
                db_default="emulated",
                default="emulated",
                max_length=8,
            ),
        ),
        migrations.CreateModel(
            name="MessageBatch",
            fields=[
                (
                    "id",
                    models.CharField(
                        default=gateway.models.identifiers.message_batch_id,
                        editable=False,
                        max_length=40,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("api_key_id", models.CharField(max_length=40)),
                ("request_id", models.CharField(max_length=64)),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("in_progress", "In Progress"),
                            ("canceling", "Canceling"),
                            ("ended", "Ended"),
                        ],
                        default="in_progress",
                        max_length=16,
                    ),
                ),
                (
                    "passage",
                    models.CharField(
                        blank=True,
                        choices=[("", "Undecided"), ("emulated", "Emulated"), ("native", "Native")],
                        default="",
                        max_length=16,
                    ),
                ),
                ("version", models.CharField(max_length=32)),
                ("relayed", models.JSONField(default=list)),
                ("query", models.TextField(blank=True)),
                ("user_agent", models.CharField(blank=True, max_length=200)),
                ("model_names", models.JSONField(default=list)),
                ("total", models.IntegerField()),
                ("succeeded", models.IntegerField(default=0)),
                ("errored", models.IntegerField(default=0)),
                ("canceled", models.IntegerField(default=0)),
                ("expired", models.IntegerField(default=0)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("expires_at", models.DateTimeField()),
                ("cancel_initiated_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("archived_at", models.DateTimeField(null=True)),
                ("provider", models.CharField(blank=True, max_length=64)),
                ("provider_key", models.CharField(blank=True, db_default="", default="", max_length=64)),
                ("forwarded_at", models.DateTimeField(null=True)),
                ("upstream_id", models.CharField(blank=True, max_length=128)),
                ("lease", models.BigIntegerField(null=True)),
                ("next_look_at", models.DateTimeField(null=True)),
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
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="gateway.workspace",
                    ),
                ),
            ],
            options={
                "db_table": "message_batch",
            },
        ),
        migrations.CreateModel(
            name="BatchItem",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "batch", "number", blank=True, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.IntegerField()),
                ("custom_id", models.CharField(max_length=64)),
                ("params", models.BinaryField()),
                ("state", models.SmallIntegerField(db_default=0, default=0)),
                ("tries", models.SmallIntegerField(db_default=0, default=0)),
                ("lease", models.BigIntegerField(null=True)),
                ("not_before", models.DateTimeField(null=True)),
                ("result", models.BinaryField(null=True)),
                (
                    "batch",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="gateway.messagebatch",
                    ),
                ),
            ],
            options={
                "db_table": "message_batch_item",
            },
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("route", models.CharField(max_length=100)),
                ("key", models.CharField(max_length=255)),
                ("body_digest", models.BinaryField()),
                ("answer", models.BinaryField()),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
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
                    "workspace",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="gateway.workspace",
                    ),
                ),
            ],
            options={
                "db_table": "idempotency_key",
                "indexes": [models.Index(fields=["created_at"], name="idempotency_key_by_age")],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("organization", "workspace", "route", "key"), name="idempotency_key_unique"
                    )
                ],
            },
        ),
        migrations.AddIndex(
            model_name="messagebatch",
            index=models.Index(fields=["organization", "workspace", "created_at", "id"], name="batch_by_age"),
        ),
        migrations.AddIndex(
            model_name="messagebatch",
            index=models.Index(
                condition=models.Q(("status", "ended"), _negated=True),
                fields=["created_at", "id"],
                name="batch_open",
            ),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(
                condition=models.Q(("state", 0)), fields=["batch", "number"], name="batch_item_pending"
            ),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(
                condition=models.Q(("state", 0), ("tries__gt", 0)),
                fields=["batch", "number"],
                name="batch_item_again",
            ),
        ),
        migrations.AddIndex(
            model_name="batchitem",
            index=models.Index(condition=models.Q(("state", 1)), fields=["lease"], name="batch_item_leased"),
        ),
    ]
