"""Prompts that people keep in the Playground."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from gateway.models.identifiers import saved_prompt_id
from gateway.models.organizations import Organization
from gateway.models.users import User


class SavedPrompt(models.Model):
    """One person's, in one organization, under a name of their own. `content` is what stands in the Playground, as its
    script writes and reads it: model, system prompt, messages, tools, variables and settings, without images.
    """

    id = models.CharField(primary_key=True, max_length=40, default=saved_prompt_id, editable=False)
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=200)
    content = models.JSONField()
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["organization", "user", "name"], name="saved_prompt_unique")
        ]

    def __str__(self) -> str:
        return self.name
