from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("gateway", "0020_sign_in")]
    operations = [
        migrations.AddIndex(
            model_name="usageevent",
            index=models.Index(
                fields=["organization_id", "at"], name="usage_event_failed", condition=Q(status__gte=400)
            ),
        ),
        migrations.AddIndex(
            model_name="usageevent",
            index=models.Index(fields=["organization_id", "api_key_id", "at"], name="usage_event_by_key"),
        ),
        migrations.AddIndex(
            model_name="usageevent",
            index=models.Index(
                fields=["organization_id", "session_id", "at"],
                name="usage_event_by_session",
                condition=~Q(session_id=""),
            ),
        ),
    ]
