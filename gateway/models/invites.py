"""Invitations into an organization."""

from __future__ import annotations

import datetime

from django.db import models
from django.utils import timezone

from gateway.models.identifiers import invite_id
from gateway.models.organizations import Organization
from gateway.models.users import Membership, User

LIFETIME = datetime.timedelta(days=21)


def _expiry() -> datetime.datetime:
    return timezone.now() + LIFETIME


class Invite(models.Model):
    """One address invited with one role: single use, 21 days; only a hash of the link's token is stored."""

    id = models.CharField(primary_key=True, max_length=40, default=invite_id, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="invites", db_index=False
    )
    email = models.EmailField(max_length=254)
    role = models.CharField(max_length=32, choices=Membership.Role)
    token_digest = models.BinaryField(unique=True)
    invited_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    invited_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(default=_expiry)
    accepted_at = models.DateTimeField(null=True)
    deleted_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["organization", "invited_at", "id"], name="invite_by_age")]

    @property
    def status(self) -> str:
        """`pending`, `accepted`, `expired` or `deleted`."""
        if self.deleted_at:
            return "deleted"
        if self.accepted_at:
            return "accepted"
        return "expired" if self.expires_at <= timezone.now() else "pending"
