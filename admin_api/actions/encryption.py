"""What is stored encrypted is brought under another key, so that the one before can be thrown away."""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass

from allauth.mfa.models import Authenticator
from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import models, transaction
from django.db.models import Q

from admin_api import audit
from admin_api.actor import Actor
from admin_api.locks import hold_catalog
from gateway.encryption import Vault
from gateway.models import Mail, ProviderKey, RequestContent, SsoConnection, WebhookEndpoint

# Every column that holds what `gateway.encryption` has made, or null; save for contents, of which there are many.
ENCRYPTED: tuple[tuple[type[models.Model], str], ...] = (
    (ProviderKey, "encrypted_api_key"),
    (WebhookEndpoint, "encrypted_secret"),
    (Mail, "sealed"),
    (SsoConnection, "encrypted_client_secret"),
)
# What authenticator apps and recovery codes follow from, by its name in `Authenticator.data`.
SEALED_IN_DATA = ("secret", "seed")
CONTENTS_AT_ONCE = 200


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
        rows = model._default_manager.select_for_update().exclude(**{field: None})
        for pk, token in rows.values_list("pk", field):
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


def renew_contents() -> Renewed:
    """The same for kept contents, a few rows at a time, since they may be gigabytes; `renew` wrote the audit line.

    What is kept meanwhile is under the first key already.
    """
    vault = Vault([key.get_secret_value() for key in settings.CONFIGURATION.data_encryption_keys])
    total, changed, unreadable, after = 0, 0, [], None
    while rows := _contents_after(after):
        for row in rows:
            total += 1
            try:
                changed += _renewed_content(vault, row)
            except InvalidToken:
                unreadable.append(f"content of {row.request_id}")
        after = (rows[-1].organization_id, rows[-1].request_id)
    return Renewed(total, changed, unreadable)


def _contents_after(after: tuple[uuid.UUID, str] | None) -> list[RequestContent]:
    rows = RequestContent.objects.order_by("organization_id", "request_id")
    if after is not None:
        later = Q(organization_id=after[0], request_id__gt=after[1]) | Q(organization_id__gt=after[0])
        rows = rows.filter(later)
    return list(rows[:CONTENTS_AT_ONCE])


def _renewed_content(vault: Vault, row: RequestContent) -> bool:
    """Whether there was anything to change. Raises `InvalidToken`."""
    held = {"headers": row.headers, "request": row.request, "response": row.response}
    renewed = {name: vault.resealed(sealed) for name, sealed in held.items() if sealed is not None}
    changed = {name: sealed for name, sealed in renewed.items() if sealed is not None}
    if changed:
        kept = RequestContent.objects.filter(organization_id=row.organization_id, request_id=row.request_id)
        kept.update(**changed)
    return bool(changed)
