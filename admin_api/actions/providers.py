"""Set up providers and take them away. Their keys are encrypted here and never shown again."""

from __future__ import annotations

import dataclasses

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.db import transaction
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actor import Actor
from admin_api.catalog import Timeouts
from admin_api.changes import SECRET, Change, Upserted, differences
from gateway.directory import publish
from gateway.encryption import Vault
from gateway.errors import InvalidRequest
from gateway.models import Provider
from gateway.models.catalog import Origin

HINT_LENGTH = 4


@transaction.atomic
def upsert(
    *,
    actor: Actor,
    name: str,
    dialect: str,
    base_url: str,
    api_key: str | UnsetType | None = UNSET,
    timeouts: Timeouts | UnsetType = UNSET,
    on_disconnect: str | UnsetType = UNSET,
) -> Upserted[Provider]:
    """Makes the provider or changes what differs; what is not given stays. `api_key` None removes it."""
    found = Provider.objects.select_for_update().filter(name=name).first()
    if found is not None and found.origin == Origin.SIMULATOR and dialect != Provider.Dialect.SIMULATOR:
        raise InvalidRequest(f"providers.{name}: this name belongs to the built-in simulator")
    row = found or Provider(name=name)
    changes = _assign(row, {"dialect": dialect, "base_url": base_url} | _optional(timeouts, on_disconnect))
    if api_key is not UNSET and api_key != _current_key(row):
        _store_key(row, api_key)
        changes.append(Change("api_key", None, SECRET))
    outcome = Upserted(row, created=found is None, changes=changes)
    if outcome.created or changes:
        row.save()
        _record(actor, "provider.created" if outcome.created else "provider.changed", outcome)
    return outcome


@transaction.atomic
def remove(*, actor: Actor, provider: Provider) -> None:
    """Takes a configured provider away, with the routes that lead to it."""
    if provider.origin == Origin.SIMULATOR:
        raise InvalidRequest(f"providers.{provider.name}: the built-in simulator cannot be removed")
    audit.record(actor=actor, action="provider.removed", target_type="provider", target_id=provider.name)
    provider.delete()
    publish.catalog_changed()


def _optional(timeouts: Timeouts | UnsetType, on_disconnect: str | UnsetType) -> dict[str, object]:
    fields: dict[str, object] = {}
    if timeouts is not UNSET:
        fields |= {f"{name}_timeout": value for name, value in dataclasses.asdict(timeouts).items()}
    if on_disconnect is not UNSET:
        fields["on_disconnect"] = on_disconnect
    return fields


def _assign(row: Provider, fields: dict[str, object]) -> list[Change]:
    changes = differences({name: getattr(row, name) for name in fields}, fields)
    for name, value in fields.items():
        setattr(row, name, value)
    return changes


def _current_key(row: Provider) -> str | UnsetType | None:
    """UNSET for a key that no configured encryption key opens: whatever is given then replaces it."""
    if row.encrypted_api_key is None:
        return None
    try:
        return _vault().decrypt(row.encrypted_api_key)
    except InvalidToken:
        return UNSET


def _store_key(row: Provider, api_key: str | None) -> None:
    row.encrypted_api_key = None if api_key is None else _vault().encrypt(api_key)
    long_enough = (
        api_key is not None and len(api_key) >= 4 * HINT_LENGTH
    )  # a hint must not give a short key away
    row.api_key_hint = api_key[-HINT_LENGTH:] if api_key and long_enough else ""


def _vault() -> Vault:
    return Vault([key.get_secret_value() for key in settings.CONFIGURATION.data_encryption_keys])


def _record(actor: Actor, action: str, outcome: Upserted[Provider]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="provider",
        target_id=outcome.row.name,
        details=outcome.details(),
    )
    publish.catalog_changed()
