"""What Django's models cannot say: daily partitions of the ledger, and an audit log that only grows."""

from django.db import migrations

PARTITION = """
ALTER TABLE usage_event RENAME TO usage_event_unpartitioned;
CREATE TABLE usage_event (LIKE usage_event_unpartitioned INCLUDING DEFAULTS INCLUDING CONSTRAINTS)
    PARTITION BY RANGE (day);
DROP TABLE usage_event_unpartitioned;
ALTER TABLE usage_event ADD PRIMARY KEY (day, attempt_id);
CREATE INDEX usage_event_by_time ON usage_event (organization_id, at);
CREATE INDEX usage_event_by_request ON usage_event (organization_id, request_id);
"""

APPEND_ONLY = """
CREATE FUNCTION audit_entry_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'audit entries are never changed or removed';
END $$;
CREATE TRIGGER audit_entry_append_only BEFORE UPDATE OR DELETE ON audit_entry
    FOR EACH ROW EXECUTE FUNCTION audit_entry_is_append_only();
CREATE TRIGGER audit_entry_no_truncate BEFORE TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION audit_entry_is_append_only();
"""


class Migration(migrations.Migration):
    dependencies = [("gateway", "0001_initial")]
    operations = [
        migrations.RunSQL(PARTITION, migrations.RunSQL.noop),
        migrations.RunSQL(
            APPEND_ONLY,
            "DROP FUNCTION audit_entry_is_append_only() CASCADE;",
        ),
    ]
