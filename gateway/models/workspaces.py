"""Workspaces divide an organization; every one has a default workspace."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateway.models.identifiers import workspace_id
from gateway.models.organizations import Organization
from gateway.models.users import User


class Workspace(models.Model):
    """A part of an organization. The default one is shown as `null` outside and cannot be changed.

    `limits` and `group_limits` are as those of a tier; the tighter of workspace and organization holds.
    `allowed_models` and `denied_models` are as those of the organization. `allowed_inference_geos` is null
    where every geography is allowed. `content_days` is how many days what is asked and answered here is kept; 0, as
    long as no admin says otherwise, is not at all.
    """

    id = models.CharField(primary_key=True, max_length=40, default=workspace_id, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="workspaces", db_index=False
    )
    name = models.CharField(max_length=200)
    is_default = models.BooleanField(default=False)
    limits = models.JSONField(default=dict)
    group_limits = models.JSONField(default=dict, db_default={})
    allowed_models = models.JSONField(default=list)
    denied_models = models.JSONField(default=list)
    allowed_inference_geos = models.JSONField(null=True)
    default_inference_geo = models.CharField(max_length=16, default="global")
    display_color = models.CharField(max_length=7, default="#6C5BB9")
    tags = models.JSONField(default=dict)
    content_days = models.SmallIntegerField(default=0, db_default=0)
    created_at = models.DateTimeField(default=timezone.now)
    archived_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["organization", "created_at", "id"], name="workspace_by_age")]
        constraints = [
            models.UniqueConstraint(
                fields=["organization"], condition=Q(is_default=True), name="workspace_one_default"
            )
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def public_id(self) -> str | None:
        """The id outside this installation: the default workspace is null (contract of the Admin API)."""
        return None if self.is_default else self.id

    @property
    def compartment_id(self) -> str:
        """A name that outlives every other one; nothing here is encrypted by workspace."""
        return "cmpt_" + self.id.removeprefix("wrkspc_")


class WorkspaceMember(models.Model):
    """A user's role in one workspace."""

    class Role(models.TextChoices):
        USER = "workspace_user"
        DEVELOPER = "workspace_developer"
        RESTRICTED_DEVELOPER = "workspace_restricted_developer"
        ADMIN = "workspace_admin"
        BILLING = "workspace_billing"

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="members", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="workspace_memberships")
    role = models.CharField(max_length=40, choices=Role)
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "workspace", "user"], name="workspace_member_unique"
            )
        ]
