"""Set up providers and take them away. Their keys are encrypted here and never shown again."""

from __future__ import annotations

import dataclasses
import datetime
from collections.abc import Sequence

from cryptography.fernet import InvalidToken
from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actor import Actor
from admin_api.catalog import Timeouts, WeightedKey
from admin_api.catalog_checks import NATIVE_BATCHES, takes_batches
from admin_api.changes import SECRET, Change, Upserted, differences
from admin_api.locks import hold_catalog
from admin_api.vault import vault
from gateway.directory import publish
from gateway.encryption import Vault
from gateway.errors import InvalidRequest, NotFound
from gateway.models import Model, Provider, ProviderKey, Route
from gateway.models.catalog import Origin
from gateway.protocol.vendors import VENDORS

HINT_LENGTH = 4


@transaction.atomic
def upsert(
    *,
    actor: Actor,
    name: str,
    dialect: str,
    base_url: str,
    preset: str = "",
    api_keys: Sequence[WeightedKey] | UnsetType = UNSET,
    timeouts: Timeouts | UnsetType = UNSET,
    on_disconnect: str | UnsetType = UNSET,
    batches: str | UnsetType = UNSET,
) -> Upserted[Provider]:
    """Makes the provider or changes what differs; what is not given stays. `api_keys` are all of its keys.

    A provider is its preset, dialect and address together: a `preset` that is not given is none. One that speaks
    another dialect from now on takes no batches any more.
    """
    hold_catalog()
    found = Provider.objects.select_for_update().filter(name=name).first()
    if found is not None and found.origin == Origin.SIMULATOR and dialect != Provider.Dialect.SIMULATOR:
        raise InvalidRequest("name: belongs to the built-in simulator; choose another one")
    _check_preset(preset, dialect)
    row = found or Provider(name=name)
    place = {"preset": preset, "dialect": dialect, "base_url": base_url}
    changes = _assign(row, place | _optional(timeouts, on_disconnect) | _batches(row, batches, dialect))
    if found is None or changes:
        row.save()
    if api_keys is not UNSET:
        changes += _set_keys(row, api_keys)
    outcome = Upserted(row, created=found is None, changes=changes)
    if outcome.created or changes:
        _record(actor, "provider.created" if outcome.created else "provider.changed", outcome)
    return outcome


@transaction.atomic
def remove(*, actor: Actor, provider: Provider) -> None:
    """Takes a configured provider away, with the routes that lead to it. A model's only way is not taken."""
    hold_catalog()
    if not Provider.objects.filter(pk=provider.pk).exists():
        raise NotFound("Provider not found.")
    if provider.origin == Origin.SIMULATOR:
        raise InvalidRequest(f"providers.{provider.name}: the built-in simulator cannot be removed")
    if stranded := _stranded_by(provider):
        raise InvalidRequest(
            f"providers.{provider.name}: {', '.join(stranded)} would have no route left; change or remove them first"
        )
    audit.record(actor=actor, action="provider.removed", target_type="provider", target_id=provider.name)
    provider.delete()
    publish.catalog_changed()


@transaction.atomic
def drain(*, actor: Actor, provider: Provider) -> Provider:
    """Nothing new is sent there until it is put back; what runs there comes to its end, and batches come home.

    A model that only this provider serves is not served meanwhile.
    """
    held = _held(provider)
    if held.drained_at is None:
        _set_drained(actor, "provider.drained", held, timezone.now())
    return held


@transaction.atomic
def put_back(*, actor: Actor, provider: Provider) -> Provider:
    """Requests go there again, as before it was drained."""
    held = _held(provider)
    if held.drained_at is not None:
        _set_drained(actor, "provider.put_back", held, None)
    return held


@transaction.atomic
def add_key(*, actor: Actor, provider: Provider, key: WeightedKey) -> ProviderKey:
    """One more key, behind those that there are. Raises `InvalidRequest` for one that is there already."""
    held = _held(provider)
    before, encryption = list(held.keys.all()), vault()
    if any(_secret(encryption, one) == key.key for one in before):
        raise InvalidRequest("key: this provider has this key already")
    made = _new_key(held, encryption, key.key)
    made.weight, made.position = key.weight, max((one.position for one in before), default=-1) + 1
    made.save()
    _record(actor, "provider.changed", Upserted(held, False, [Change("api_keys", None, SECRET)]))
    return made


@transaction.atomic
def remove_key(*, actor: Actor, provider: Provider, key_id: str) -> None:
    """Takes one key away; from the next request on it is not used."""
    held = _held(provider)
    found = held.keys.filter(pk=key_id).first() if key_id.isdecimal() and len(key_id) < 19 else None
    if found is None:
        raise NotFound("Key not found.")
    hint = f"...{found.api_key_hint}" if found.api_key_hint else f"#{found.pk}"
    found.delete()
    _record(actor, "provider.changed", Upserted(held, False, [Change("api_keys", hint, None)]))


def _held(provider: Provider) -> Provider:
    """The row as it is now, which nobody else changes meanwhile."""
    hold_catalog()
    found = Provider.objects.select_for_update().filter(pk=provider.pk).first()
    if found is None:
        raise NotFound("Provider not found.")
    return found


def _set_drained(actor: Actor, action: str, row: Provider, at: datetime.datetime | None) -> None:
    row.drained_at = at
    row.save(update_fields=["drained_at"])
    _record(actor, action, Upserted(row, False))


def _stranded_by(provider: Provider) -> list[str]:
    """Names of models that only this provider serves."""
    others = Route.objects.filter(model=OuterRef("pk")).exclude(provider=provider)
    only_here = Model.objects.filter(routes__provider=provider).exclude(Exists(others)).distinct()
    return list(only_here.order_by("name").values_list("name", flat=True)[:20])


def _check_preset(preset: str, dialect: str) -> None:
    if preset and preset not in VENDORS:
        raise InvalidRequest(f"preset: expected one of {', '.join(sorted(VENDORS))}")
    if preset and VENDORS[preset].dialect != dialect:
        raise InvalidRequest(f"dialect: {preset} speaks {VENDORS[preset].dialect}")


def _optional(timeouts: Timeouts | UnsetType, on_disconnect: str | UnsetType) -> dict[str, object]:
    fields: dict[str, object] = {}
    if timeouts is not UNSET:
        fields |= {f"{name}_timeout": value for name, value in dataclasses.asdict(timeouts).items()}
    if on_disconnect is not UNSET:
        fields["on_disconnect"] = on_disconnect
    return fields


def _batches(row: Provider, batches: str | UnsetType, dialect: str) -> dict[str, object]:
    if not takes_batches(batches, dialect):
        raise InvalidRequest(f"batches: {NATIVE_BATCHES}")
    if batches is not UNSET:
        return {"batches": batches}
    return {} if takes_batches(row.batches, dialect) else {"batches": Provider.Batches.EMULATED}


def _assign(row: Provider, fields: dict[str, object]) -> list[Change]:
    changes = differences({name: getattr(row, name) for name in fields}, fields)
    for name, value in fields.items():
        setattr(row, name, value)
    return changes


def _set_keys(row: Provider, wanted: Sequence[WeightedKey]) -> list[Change]:
    """Rows whose secret stays are kept, in their new place and weight; the others go, and new ones come."""
    if len({one.key for one in wanted}) < len(wanted):
        raise InvalidRequest("api_keys: a key stands here twice")
    before = list(row.keys.select_for_update())
    encryption = vault()
    kept = {secret: key for key in before if (secret := _secret(encryption, key)) is not None}
    after = [kept.get(one.key) or _new_key(row, encryption, one.key) for one in wanted]
    weights = [key.weight for key in before]
    ProviderKey.objects.filter(pk__in={key.pk for key in before} - {key.pk for key in after}).delete()
    for position, (key, one) in enumerate(zip(after, wanted, strict=True)):
        if key.pk is None or (key.position, key.weight) != (position, one.weight):
            key.position, key.weight = position, one.weight
            key.save()
    if after != before:
        return [Change("api_keys", None, SECRET)]
    return differences({"api_keys.weight": weights}, {"api_keys.weight": [one.weight for one in wanted]})


def _secret(vault: Vault, key: ProviderKey) -> str | None:
    """None for a key that no configured encryption key opens: whatever is given then replaces it."""
    try:
        return vault.decrypt(key.encrypted_api_key)
    except InvalidToken:
        return None


def _new_key(row: Provider, vault: Vault, secret: str) -> ProviderKey:
    long_enough = len(secret) >= 4 * HINT_LENGTH  # a hint must not give a short key away
    hint = secret[-HINT_LENGTH:] if long_enough else ""
    return ProviderKey(provider=row, encrypted_api_key=vault.encrypt(secret), api_key_hint=hint)


def _record(actor: Actor, action: str, outcome: Upserted[Provider]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="provider",
        target_id=outcome.row.name,
        details=outcome.details(),
    )
    publish.catalog_changed()
