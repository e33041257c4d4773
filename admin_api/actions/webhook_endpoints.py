"""Where organizations are told of events: make, change, try and remove endpoints, and replace their secrets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from django.db import transaction
from django.utils import timezone
from msgspec import UNSET, UnsetType

from admin_api import audit
from admin_api.actor import Actor
from admin_api.changes import SECRET, Change, differences, told
from admin_api.vault import vault
from admin_api.webhook_events import TEST, TYPES
from admin_api.webhook_signature import new_secret
from gateway.errors import InvalidRequest, NotFound
from gateway.models import Organization, WebhookDelivery, WebhookEndpoint, WebhookEvent
from gateway.models.deliveries import Delivery

State = WebhookEndpoint.State
MOST = 32


@transaction.atomic
def create(
    *,
    actor: Actor,
    organization: Organization,
    url: str,
    enabled_events: Sequence[str],
    name: str = "",
    description: str = "",
) -> tuple[WebhookEndpoint, str]:
    """An endpoint and its signing secret, which is not to be had again. `url` is one of `webhook_addresses`."""
    Organization.objects.select_for_update(no_key=True).get(pk=organization.pk)
    if organization.webhook_endpoints.count() >= MOST:
        raise InvalidRequest(f"url: an organization has at most {MOST} webhook endpoints")
    secret = new_secret()
    made = WebhookEndpoint.objects.create(
        organization=organization,
        url=url,
        name=name,
        description=description,
        enabled_events=_events(enabled_events),
        encrypted_secret=vault().encrypt(secret),
    )
    _record(actor, "webhook_endpoint.created", made, {"url": url, "enabled_events": made.enabled_events})
    return made, secret


@transaction.atomic
def update(
    *,
    actor: Actor,
    endpoint: WebhookEndpoint,
    url: str | UnsetType = UNSET,
    enabled_events: Sequence[str] | UnsetType = UNSET,
    name: str | UnsetType = UNSET,
    description: str | UnsetType = UNSET,
    state: str | UnsetType = UNSET,
) -> WebhookEndpoint:
    """Changes what is given and differs; no events at all leave them as they are. What waits for an endpoint that is
    disabled is never delivered.
    """
    held = _held(endpoint)
    given = {"url": url, "name": name, "description": description, "state": state}
    wanted: dict[str, object] = {field: value for field, value in given.items() if value is not UNSET}
    if enabled_events:
        wanted["enabled_events"] = _events(enabled_events)
    changes = differences({field: getattr(held, field) for field in wanted}, wanted)
    if changes:
        _write(held, wanted, reason="")
        _record(actor, "webhook_endpoint.changed", held, told(changes))
    return held


@transaction.atomic
def disable(*, actor: Actor, endpoint: WebhookEndpoint, reason: str) -> None:
    """As the gateway does by itself, where nobody answers for days."""
    held = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.pk).first()
    if held is not None and held.state == State.ENABLED:
        _write(held, {"state": State.DISABLED}, reason=reason)
        _record(actor, "webhook_endpoint.disabled", held, {"url": held.url, "reason": reason})


@transaction.atomic
def regenerate_secret(*, actor: Actor, endpoint: WebhookEndpoint) -> str:
    """The new signing secret, which is not to be had again. All that is sent from now on is signed with it."""
    held, secret = _held(endpoint), new_secret()
    _write(held, {"encrypted_secret": vault().encrypt(secret)}, reason=held.disabled_reason)
    _record(actor, "webhook_endpoint.secret_replaced", held, told([Change("secret", None, SECRET)]))
    return secret


@transaction.atomic
def remove(*, actor: Actor, endpoint: WebhookEndpoint) -> None:
    """With what waits for it."""
    held = _held(endpoint)
    _record(actor, "webhook_endpoint.removed", held, {"url": held.url})
    held.delete()


@transaction.atomic
def test(*, actor: Actor, endpoint: WebhookEndpoint) -> WebhookDelivery:
    """An event that says nothing, on its way to this endpoint alone. Raises `InvalidRequest` where it is disabled."""
    held = _held(endpoint)
    if held.state != State.ENABLED:
        raise InvalidRequest("This endpoint is disabled: nothing is sent there.")
    data = {"type": TEST, "id": held.id, "organization_id": str(held.organization_id)}
    event = WebhookEvent.objects.create(organization_id=held.organization_id, data=data)
    _record(actor, "webhook_endpoint.tested", held, {"url": held.url, "event_id": event.id})
    return WebhookDelivery.objects.create(event=event, endpoint=held)


def _held(endpoint: WebhookEndpoint) -> WebhookEndpoint:
    held = WebhookEndpoint.objects.select_for_update(no_key=True).filter(pk=endpoint.pk).first()
    if held is None:
        raise NotFound("Webhook endpoint not found.")
    return held


def _events(names: Sequence[str]) -> list[str]:
    """Each once, in our order. Raises `InvalidRequest` for none, and for types that there are not."""
    unknown = [name for name in names if name not in TYPES]
    if unknown or not names:
        wrong = f"{unknown[0][:60]!r} is unknown; " if unknown else ""
        raise InvalidRequest(f"enabled_events: {wrong}expected one or more of {', '.join(TYPES)}")
    return [type for type in TYPES if type in names]


def _write(held: WebhookEndpoint, fields: Mapping[str, object], *, reason: str) -> None:
    for field, value in fields.items():
        setattr(held, field, value)
    held.disabled_reason = reason if held.state == State.DISABLED else ""
    held.updated_at = timezone.now()
    held.save(update_fields=[*fields, "disabled_reason", "updated_at"])
    if held.state == State.DISABLED:
        waiting = WebhookDelivery.objects.filter(endpoint=held, state=Delivery.State.PENDING)
        waiting.update(state=Delivery.State.FAILED, last_error="the endpoint is disabled")


def _record(actor: Actor, action: str, endpoint: WebhookEndpoint, details: Mapping[str, object]) -> None:
    audit.record(
        actor=actor,
        action=action,
        target_type="webhook_endpoint",
        target_id=endpoint.id,
        organization_id=endpoint.organization_id,
        details=details,
    )
