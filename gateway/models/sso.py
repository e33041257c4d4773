"""How members of an organization sign in through its own identity provider."""

from __future__ import annotations

from django.db import models
from django.utils import timezone

from gateway.models.identifiers import sso_connection_id
from gateway.models.organizations import Organization
from gateway.models.users import Membership, User


class SsoConnection(models.Model):
    """An organization's identity provider; it has one at most. Who came through it is in allauth's `SocialAccount`,
    whose `provider` is this id.

    OIDC has `issuer`, `client_id` and `encrypted_client_secret`, sealed by the vault; SAML has `entity_id`, `sso_url`
    and `certificate` (PEM). `version` counts what these were, and how often it was turned off; what began under
    another one does not count. It is `tested` once somebody came back through it as it is, and can then be turned
    `on`. Whether members have to use it is `Organization.require_sso`; `break_glass` are the admins who never have to.
    """

    class Kind(models.TextChoices):
        OIDC = "oidc"
        SAML = "saml"

    class State(models.TextChoices):
        DRAFT = "draft"
        TESTED = "tested"
        ON = "on"

    id = models.CharField(primary_key=True, max_length=40, default=sso_connection_id, editable=False)
    organization = models.OneToOneField(Organization, on_delete=models.CASCADE, related_name="sso_connection")
    kind = models.CharField(max_length=8, choices=Kind)
    issuer = models.CharField(max_length=2000, blank=True)
    client_id = models.CharField(max_length=191, blank=True)
    encrypted_client_secret = models.BinaryField(null=True)
    entity_id = models.CharField(max_length=1024, blank=True)
    sso_url = models.CharField(max_length=2000, blank=True)
    certificate = models.TextField(blank=True)
    version = models.IntegerField(default=1)
    state = models.CharField(max_length=8, choices=State, default=State.DRAFT)
    role = models.CharField(max_length=32, choices=Membership.Role)
    break_glass = models.ManyToManyField(User, related_name="+", db_table="sso_break_glass")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    class Meta:
        db_table = "sso_connection"


class SsoDomain(models.Model):
    """A domain whose people one connection of the whole installation signs in, in lower case."""

    name = models.CharField(primary_key=True, max_length=253)
    connection = models.ForeignKey(SsoConnection, on_delete=models.CASCADE, related_name="domains")

    class Meta:
        db_table = "sso_domain"
