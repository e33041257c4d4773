"""API keys and Admin keys. The secret is never stored, only its keyed digest and a hint. People who work in the
Playground have keys without one."""

from __future__ import annotations

from django.db import models
from django.db.models import Q
from django.utils import timezone

from gateway.models.identifiers import api_key_id
from gateway.models.organizations import Organization
from gateway.models.service_accounts import ServiceAccount
from gateway.models.users import User
from gateway.models.workspaces import Workspace


class ApiKey(models.Model):
    """A credential. `kind` `api` calls models, `admin` the Admin API; an `api` key without a workspace
    belongs to the whole organization and chooses one by `anthropic-workspace-id`.

    `limits` and `group_limits` are as those of a tier; `allowed_models` and `denied_models` are as those
    of the organization. `allowed_ips` are networks in CIDR form that the key may be used from; none is all.
    A key may act for one `user` or one `service_account`, and stops with them.

    A `playground` key stands for what a member sends from the Playground to one workspace: limits, budgets and the
    ledger know it as any key. Nobody has its secret, its `digest` being random, and it is in no list of keys.

    After a rotation the secret before goes on working until `previous_until`, under `previous_digest`, and is known
    as an expired one from then on.
    """

    class Kind(models.TextChoices):
        API = "api"
        ADMIN = "admin"
        PLAYGROUND = "playground"

    class Status(models.TextChoices):
        ACTIVE = "active"
        INACTIVE = "inactive"
        ARCHIVED = "archived"

    id = models.CharField(primary_key=True, max_length=40, default=api_key_id, editable=False)
    organization = models.ForeignKey(
        Organization, on_delete=models.CASCADE, related_name="api_keys", db_index=False
    )
    workspace = models.ForeignKey(
        Workspace, null=True, on_delete=models.CASCADE, related_name="api_keys", db_index=False
    )
    kind = models.CharField(max_length=16, choices=Kind)
    name = models.CharField(max_length=500)
    digest = models.BinaryField(unique=True)
    hint = models.CharField(max_length=64)
    previous_digest = models.BinaryField(null=True, unique=True)
    previous_until = models.DateTimeField(null=True)
    status = models.CharField(max_length=16, choices=Status, default=Status.ACTIVE)
    limits = models.JSONField(default=dict)
    group_limits = models.JSONField(default=dict, db_default={})
    allowed_models = models.JSONField(default=list)
    denied_models = models.JSONField(default=list)
    allowed_ips = models.JSONField(default=list)
    user = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    service_account = models.ForeignKey(
        ServiceAccount, null=True, on_delete=models.SET_NULL, related_name="api_keys"
    )
    created_by = models.ForeignKey(User, null=True, on_delete=models.SET_NULL, related_name="+")
    created_at = models.DateTimeField(default=timezone.now)
    expires_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["organization", "created_at", "id"], name="api_key_by_age"),
            models.Index(fields=["organization", "workspace"], name="api_key_by_workspace"),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["workspace", "user"], condition=Q(kind="playground"), name="playground_key_unique"
            )
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.hint})"

    @property
    def current_status(self) -> str:
        """`status` as it is now: a key that is not archived is `expired` from its time on."""
        expired = self.expires_at is not None and self.expires_at <= timezone.now()
        return "expired" if expired and self.status != self.Status.ARCHIVED else self.status

    @property
    def digests(self) -> list[bytes]:
        """Those of every secret that may find it."""
        return [bytes(digest) for digest in (self.digest, self.previous_digest) if digest is not None]

    @property
    def last_use(self) -> ApiKeyUse | None:
        """None for a key that no recorded request came with."""
        try:
            return self.use
        except ApiKeyUse.DoesNotExist:
            return None


class ApiKeyUse(models.Model):
    """A key's latest request, as `metering/key_uses.py` notes it; the ledger keeps no addresses.

    A plain id to the database, as those of the ledger are: what is noted must not fail for a key that is gone.
    """

    api_key = models.OneToOneField(
        ApiKey, primary_key=True, on_delete=models.CASCADE, db_constraint=False, related_name="use"
    )
    organization_id = models.UUIDField()
    at = models.DateTimeField()
    user_agent = models.CharField(max_length=200, blank=True)
    address = models.CharField(max_length=45, blank=True)

    class Meta:
        db_table = "api_key_use"
