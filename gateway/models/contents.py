"""What requests asked and were answered, where an admin has it kept: encrypted, and gone after the workspace's days."""

from __future__ import annotations

from django.db import models


class RequestContent(models.Model):
    """One request. `request` and `response` are sealed by `gateway/contents/sealed.py`, and so are the `headers` of
    both, which rows of before do not have; tenant ids are plain columns.

    `streamed` says that the answer is a stream of events; `cut` that the end of a long answer was left out.
    """

    pk = models.CompositePrimaryKey("organization_id", "request_id")
    organization_id = models.UUIDField()
    request_id = models.CharField(max_length=64)
    workspace_id = models.CharField(max_length=40)
    api_key_id = models.CharField(max_length=40)
    at = models.DateTimeField()
    expires_at = models.DateTimeField()
    endpoint = models.CharField(max_length=32)
    status = models.SmallIntegerField()
    streamed = models.BooleanField()
    cut = models.BooleanField(default=False)
    headers = models.BinaryField(null=True)
    request = models.BinaryField()
    response = models.BinaryField()

    class Meta:
        db_table = "request_content"
        indexes = [
            models.Index(fields=["expires_at"], name="request_content_by_expiry"),
            models.Index(fields=["workspace_id", "at"], name="request_content_by_workspace"),
        ]
