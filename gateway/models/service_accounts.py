"""Machine identities of an organization, and their roles in workspaces."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateway.models.identifiers import service_account_id
from gateway.models.organizations import Organization
from gateway.models.workspaces import Workspace, WorkspaceMember


class ServiceAccount(models.Model):
    """A named identity that is no person; keys may act for it. Names are unique among the live ones.

    The `..._by_actor_id` columns are ids of users, null where an Admin key or the command line acted.
    """

    class Role(models.TextChoices):
        ADMIN = "admin"
        DEVELOPER = "developer"

    id = models.CharField(primary_key=True, max_length=40, default=service_account_id, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="service_accounts", db_index=False
    )
    name = models.CharField(max_length=64)
    description = models.CharField(max_length=1000, blank=True)
    organization_role = models.CharField(max_length=16, choices=Role, default=Role.DEVELOPER)
    created_at = models.DateTimeField(default=timezone.now)
    created_by_actor_id = models.CharField(max_length=40, null=True)
    updated_at = models.DateTimeField(default=timezone.now)
    updated_by_actor_id = models.CharField(max_length=40, null=True)
    archived_at = models.DateTimeField(null=True)
    archived_by_actor_id = models.CharField(max_length=40, null=True)

    class Meta:
        indexes = [models.Index(fields=["organization", "created_at", "id"], name="service_account_by_age")]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "name"],
                condition=Q(archived_at=None),
                name="service_account_name_unique",
            )
        ]

    def __str__(self) -> str:
        return self.name


class ServiceAccountWorkspace(models.Model):
    """A service account's role in one workspace; `workspace_billing` is for people only."""

    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    workspace = models.ForeignKey(
        Workspace, on_delete=models.CASCADE, related_name="service_accounts", db_index=False
    )
    service_account = models.ForeignKey(ServiceAccount, on_delete=models.CASCADE, related_name="workspaces")
    role = models.CharField(max_length=40, choices=WorkspaceMember.Role)
    added_at = models.DateTimeField(default=timezone.now)
    created_by_actor_id = models.CharField(max_length=40, null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "workspace", "service_account"],
                name="service_account_workspace_unique",
            )
        ]
