"""What is stored encrypted is brought under another key, so that the one before can be thrown away."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import models, transaction

from admin_api import audit
from admin_api.actor import Actor
from admin_api.locks import hold_catalog
from gateway.encryption import Vault
from gateway.models import ProviderKey, WebhookEndpoint

# Every column that holds what `gateway.encryption` has made.
ENCRYPTED: tuple[tuple[type[models.Model], str], ...] = (
    (ProviderKey, "encrypted_api_key"),
    (WebhookEndpoint, "encrypted_secret"),
)
# What authenticator apps and recovery codes follow from, by its name in `Authenticator.data`.
SEALED_IN_DATA = ("secret", "seed")


@dataclass(frozen=True)
class Renewed:
    """How many secrets there are, how many were brought under the first key, and which no key opens."""

    total: int
    changed: int
    unreadable: list[str]


@transaction.atomic
def renew(*, actor: Actor) -> Renewed:
    """Bring every stored secret under the first of `GATEWAY_DATA_ENCRYPTION_KEYS`.

    What no key opens stays as it is. Nobody has to be told: the secrets are the same, and every process has the keys.
    """
    hold_catalog()
    vault = Vault([key.get_secret_value() for key in settings.CONFIGURATION.data_encryption_keys])
    total, changed, unreadable = 0, 0, []
    for model, field in ENCRYPTED:
        for pk, token in model._default_manager.select_for_update().values_list("pk", field):
            total += 1
            try:
                renewed = vault.renewed(token)
            except InvalidToken:
                unreadable.append(f"{model._meta.verbose_name} {pk}")
                continue
            if renewed is not None:
                changed += model._default_manager.filter(pk=pk).update(**{field: renewed})
    seeds = _renew_authenticators(vault)
    outcome = Renewed(total + seeds.total, changed + seeds.changed, unreadable + seeds.unreadable)
    audit.record(
        actor=actor,
        action="encryption.renewed",
        target_type="installation",
        target_id="",
        details=asdict(outcome),
    )
    return outcome


def _renew_authenticators(vault: Vault) -> Renewed:
    total, changed, unreadable = 0, 0, []
    for row in Authenticator.objects.select_for_update():
        for name in [name for name in SEALED_IN_DATA if name in row.data]:
            total += 1
            try:
                renewed = vault.renewed(row.data[name].encode())
            except InvalidToken:
                unreadable.append(f"{row._meta.verbose_name} {row.pk}")
                continue
            if renewed is not None:
                row.data[name] = renewed.decode()
                row.save(update_fields=["data"])
                changed += 1
    return Renewed(total, changed, unreadable)
