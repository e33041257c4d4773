"""What an organization and its parts may spend, and members who ask for more."""

from __future__ import annotations

import datetime

from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateway.models.api_keys import ApiKey
from gateway.models.identifiers import spend_limit_id, spend_limit_increase_request_id
from gateway.models.organizations import Organization
from gateway.models.users import User
from gateway.models.workspaces import Workspace


class Period(models.TextChoices):
    """Windows in UTC: from 00:00, from Monday, from the first of the month."""

    DAILY = "daily"
    WEEKLY = "weekly"
    MONTHLY = "monthly"

    def start(self, now: datetime.datetime) -> datetime.datetime:
        """When the window that `now` lies in began."""
        midnight = now.astimezone(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        if self is Period.WEEKLY:
            return midnight - datetime.timedelta(days=midnight.weekday())
        return midnight.replace(day=1) if self is Period.MONTHLY else midnight

    def end(self, start: datetime.datetime) -> datetime.datetime:
        """When the window ends that began at `start`: the next one begins."""
        if self is Period.MONTHLY:
            return self.start(start + datetime.timedelta(days=32))
        return start + datetime.timedelta(days=7 if self is Period.WEEKLY else 1)


class SpendLimit(models.Model):
    """A cap on the spend of one scope within one period, in whole US cents; null says "no limit" aloud.

    The scope is the one of `workspace`, `user` and `api_key` that is set, else the organization. Every limit
    that covers a request holds, and periods do not replace each other.
    """

    id = models.CharField(primary_key=True, max_length=40, default=spend_limit_id, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="spend_limits", db_index=False
    )
    workspace = models.ForeignKey(Workspace, null=True, on_delete=models.CASCADE, related_name="spend_limits")
    user = models.ForeignKey(User, null=True, on_delete=models.CASCADE, related_name="spend_limits")
    api_key = models.ForeignKey(ApiKey, null=True, on_delete=models.CASCADE, related_name="spend_limits")
    period = models.CharField(max_length=8, choices=Period)
    amount = models.BigIntegerField(null=True)
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["organization", "created_at", "id"], name="spend_limit_by_age")]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "workspace", "user", "api_key", "period"],
                nulls_distinct=False,
                name="spend_limit_unique",
            ),
            models.CheckConstraint(
                condition=Q(workspace=None, user=None)
                | Q(workspace=None, api_key=None)
                | Q(user=None, api_key=None),
                name="spend_limit_one_scope",
            ),
        ]

    @property
    def scope(self) -> dict[str, str]:
        """What it covers, as the Admin API says it: a type and the id that goes with it."""
        if self.workspace_id is not None:
            return {"type": "workspace", "workspace_id": self.workspace_id}
        if self.user_id is not None:
            return {"type": "user", "user_id": self.user_id}
        if self.api_key_id is not None:
            return {"type": "api_key", "api_key_id": self.api_key_id}
        return {"type": "organization"}


class SpendLimitIncreaseRequest(models.Model):
    """A member asks for a higher limit of their own in one period; an admin approves or denies, once.

    `resolved_by_type` and `resolved_by_id` are those of the `Actor` who did.
    """

    class Status(models.TextChoices):
        PENDING = "pending"
        APPROVED = "approved"
        DENIED = "denied"

    id = models.CharField(
        primary_key=True, max_length=40, default=spend_limit_increase_request_id, editable=False
    )
    organization = models.ForeignKey(Organization, on_delete=models.CASCADE, related_name="+", db_index=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    period = models.CharField(max_length=8, choices=Period)
    reason = models.CharField(max_length=1000, blank=True)
    status = models.CharField(max_length=8, choices=Status, default=Status.PENDING)
    created_at = models.DateTimeField(default=timezone.now)
    resolved_at = models.DateTimeField(null=True)
    resolved_by_type = models.CharField(max_length=16, blank=True)
    resolved_by_id = models.CharField(max_length=64, blank=True)

    class Meta:
        indexes = [models.Index(fields=["organization", "created_at", "id"], name="spend_increase_by_age")]
        constraints = [
            models.UniqueConstraint(
                fields=["organization", "user", "period"],
                condition=Q(status="pending"),
                name="spend_increase_one_pending",
            )
        ]
