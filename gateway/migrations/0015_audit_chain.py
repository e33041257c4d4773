"""Audit entries are chained, each to the one before it of its organization; providers can be drained.

The links are written as a transaction commits, by a deferred trigger: a lock that makes links wait for each other is
then held for a moment only, and nobody who holds it waits for anything else.
"""

import django.utils.timezone
from django.db import migrations, models

CHAIN = """
CREATE FUNCTION audit_chain_of(organization uuid) RETURNS uuid LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT coalesce(organization, '00000000-0000-0000-0000-000000000000'::uuid)
$$;

-- Over all that an entry says, in a form that no setting of a session changes.
CREATE FUNCTION audit_entry_hash(previous bytea, entry audit_entry) RETURNS bytea LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT sha256(previous || convert_to(jsonb_build_array(
        entry.id, entry.organization_id, (extract(epoch FROM entry.at) * 1000000)::bigint,
        entry.actor_type, entry.actor_id, entry.action, entry.target_type, entry.target_id, entry.details,
        host(entry.ip_address), entry.request_id, entry.user_agent)::text, 'UTF8'))
$$;

CREATE FUNCTION audit_link_add(entry audit_entry) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    own uuid := audit_chain_of(entry.organization_id);
    last audit_link;
BEGIN
    SELECT * INTO last FROM audit_link WHERE chain = own ORDER BY position DESC LIMIT 1;
    INSERT INTO audit_link (entry_id, chain, position, previous_hash, hash)
    VALUES (entry.id, own, coalesce(last.position, 0) + 1, coalesce(last.hash, ''::bytea),
            audit_entry_hash(coalesce(last.hash, ''::bytea), entry));
END $$;

CREATE FUNCTION audit_entry_is_linked() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(1735852034);  -- 0x67770002; admin_api/locks.py has its neighbour
    PERFORM audit_link_add(NEW);
    RETURN NULL;
END $$;
"""

# What was written before today begins the chains, in the order in which it was.
BEGINNING = """
DO $$
DECLARE
    entry audit_entry;
BEGIN
    FOR entry IN SELECT * FROM audit_entry ORDER BY id LOOP
        PERFORM audit_link_add(entry);
    END LOOP;
END $$;
"""

TRIGGERS = """
CREATE CONSTRAINT TRIGGER audit_entry_linked AFTER INSERT ON audit_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION audit_entry_is_linked();
CREATE TRIGGER audit_link_append_only BEFORE UPDATE OR DELETE ON audit_link
    FOR EACH ROW EXECUTE FUNCTION audit_entry_is_append_only();
CREATE TRIGGER audit_link_no_truncate BEFORE TRUNCATE ON audit_link
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_is_append_only();
"""

UNCHAIN = """
DROP FUNCTION audit_entry_is_linked() CASCADE;
DROP FUNCTION audit_link_add(audit_entry);
DROP FUNCTION audit_entry_hash(bytea, audit_entry);
DROP FUNCTION audit_chain_of(uuid);
"""


class Migration(migrations.Migration):
    dependencies = [("gateway", "0014_message_batches")]
    operations = [
        migrations.AddField(
            model_name="provider",
            name="drained_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="auditentry",
            name="user_agent",
            field=models.CharField(blank=True, db_default="", max_length=300),
        ),
        migrations.CreateModel(
            name="AuditLink",
            fields=[
                ("entry_id", models.BigIntegerField(primary_key=True, serialize=False)),
                ("chain", models.UUIDField()),
                ("position", models.BigIntegerField()),
                ("previous_hash", models.BinaryField()),
                ("hash", models.BinaryField()),
            ],
            options={
                "db_table": "audit_link",
                "constraints": [
                    models.UniqueConstraint(fields=("chain", "position"), name="audit_link_in_order")
                ],
            },
        ),
        migrations.CreateModel(
            name="ProviderCheck",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True, primary_key=True, serialize=False, verbose_name="ID"
                    ),
                ),
                ("provider", models.CharField(max_length=64)),
                ("model", models.CharField(blank=True, max_length=200)),
                ("asked_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("asked_by", models.CharField(blank=True, max_length=64)),
                ("started_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("lines", models.JSONField(default=list)),
                ("problem", models.CharField(blank=True, max_length=300)),
            ],
            options={
                "db_table": "provider_check",
                "indexes": [
                    models.Index(fields=["asked_at"], name="provider_check_by_time"),
                    models.Index(fields=["provider", "id"], name="provider_check_by_provider"),
                ],
            },
        ),
        migrations.RunSQL(CHAIN, UNCHAIN),
        migrations.RunSQL(BEGINNING, migrations.RunSQL.noop),
        migrations.RunSQL(TRIGGERS, migrations.RunSQL.noop),
    ]
