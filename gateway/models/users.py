"""People and their place in organizations."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import models
from django.db.models.functions import Lower
from django.utils import timezone

from gateway.models.identifiers import user_id
from gateway.models.organizations import Organization


class UserManager(BaseUserManager["User"]):
    def create_user(self, email: str, password: str | None = None, **fields: Any) -> User:
        """A user with a usable password, or with none until a link of `reset_password` is used."""
        user = self.model(email=email.strip().lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def get_by_natural_key(self, email: str | None) -> User:
        return self.get(email__iexact=email)


class User(AbstractBaseUser):
    """Somebody who signs in; `is_operator` may run the whole installation.

    `email_verified_at` is when a link that was mailed to `email` was used.
    """

    id = models.CharField(primary_key=True, max_length=40, default=user_id, editable=False)
    email = models.EmailField(max_length=254, unique=True)
    name = models.CharField(max_length=200, blank=True)
    is_active = models.BooleanField(default=True)
    is_operator = models.BooleanField(default=False)
    created_at = models.DateTimeField(default=timezone.now)
    email_verified_at = models.DateTimeField(null=True)

    USERNAME_FIELD = "email"
    EMAIL_FIELD = "email"
    objects = UserManager()

    class Meta:
        constraints = [models.UniqueConstraint(Lower("email"), name="user_email_unique")]

    def __str__(self) -> str:
        return self.email


class Membership(models.Model):
    """A user's role in one organization."""

    class Role(models.TextChoices):
        USER = "user"
        DEVELOPER = "developer"
        BILLING = "billing"
        ADMIN = "admin"
        CLAUDE_CODE_USER = "claude_code_user"

    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="memberships", db_index=False
    )
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=32, choices=Role)
    added_at = models.DateTimeField(default=timezone.now)

    class Meta:
        indexes = [models.Index(fields=["organization", "added_at", "user"], name="membership_by_age")]
        constraints = [models.UniqueConstraint(fields=["organization", "user"], name="membership_unique")]


class PasswordResetRequest(models.Model):
    """Somebody asked for a new password for an address, known or not; a worker mails a link where it is known."""

    email = models.EmailField(max_length=254)
    ip_address = models.GenericIPAddressField(null=True)
    request_id = models.CharField(max_length=64, blank=True)
    created_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "password_reset_request"
