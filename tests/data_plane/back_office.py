"""The operator of the gateway under test, in a process of its own: `python -m tests.data_plane.back_office`.

The tests' own Django has another database, so they send their wishes here, one JSON object per line, and
get one JSON line back: `{"do": "api_key", "organization": "Acme", ...}` -> `{"secret": ...}`.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import os
import sys
from collections.abc import Callable, Sequence
from typing import Any

import django
import msgspec

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")
django.setup()

from decimal import Decimal  # noqa: E402

from django.conf import settings  # noqa: E402
from django.db import connection, transaction  # noqa: E402
from django.utils import timezone  # noqa: E402

from admin_api.actions import (  # noqa: E402
    api_keys,
    invites,
    models,
    operator_keys,
    organizations,
    providers,
    request_contents,
    workspaces,
)
from admin_api.actor import SYSTEM  # noqa: E402
from admin_api.catalog import Rates, RouteTo, Timeouts, WeightedKey  # noqa: E402
from admin_api.residency import Residency  # noqa: E402
from gateway import credentials  # noqa: E402
from gateway.directory import publish  # noqa: E402
from gateway.errors import NotFound  # noqa: E402
from gateway.metering import reports  # noqa: E402
from gateway.models import ApiKey, Model, Organization, Provider, RequestContent, Tier, Workspace  # noqa: E402
from gateway.protocol.vendors import VENDORS  # noqa: E402


def provider(
    *,
    name: str,
    base_url: str = "",
    dialect: str = "anthropic",
    preset: str = "",
    api_key: str | None = None,
    api_keys: list[dict[str, Any]] | None = None,
    timeouts: dict[str, float] | None = None,
    **rest: Any,
) -> dict[str, Any]:
    """`api_keys` as in the file, each {key, weight}; a preset brings its dialect, and its address if none is given."""
    vendor = VENDORS[preset] if preset else None
    keys = [WeightedKey(**key) for key in api_keys or []] or ([WeightedKey(api_key)] if api_key else [])
    providers.upsert(
        actor=SYSTEM,
        name=name,
        preset=preset,
        dialect=vendor.dialect if vendor else dialect,
        base_url=base_url or (vendor.base_url if vendor else ""),
        api_keys=keys,
        timeouts=Timeouts(**timeouts or {}),
        **rest,
    )
    return {}


def remove_model(*, name: str) -> dict[str, Any]:
    models.remove(actor=SYSTEM, model=Model.objects.get(name=name))
    return {}


def drain(*, provider: str) -> dict[str, Any]:
    providers.drain(actor=SYSTEM, provider=Provider.objects.get(name=provider))
    return {}


def model(*, name: str, routes: list[dict[str, Any]], aliases: list[str], **rest: Any) -> dict[str, Any]:
    rates = Rates(Decimal(3), Decimal(15), Decimal("0.3"), Decimal("3.75"), Decimal(6))
    models.upsert(
        actor=SYSTEM,
        name=name,
        routes=[RouteTo(**route) for route in routes],
        aliases=aliases,
        price=rates,
        **rest,
    )
    return {}


def organization(
    *,
    name: str,
    tier: str,
    limits: dict[str, int] | None = None,
    allow_models: Sequence[str] = (),
    deny_models: Sequence[str] = (),
) -> dict[str, Any]:
    row = organizations.create(actor=SYSTEM, name=name, tier=Tier.objects.get(name=tier), limits=limits)
    organizations.set_models(actor=SYSTEM, organization=row, allowed=allow_models, denied=deny_models)
    return {"id": str(row.id), "default_workspace": row.workspaces.get(is_default=True).id}


def workspace(
    *,
    organization: str,
    name: str,
    limits: dict[str, int] | None = None,
    allow_models: Sequence[str] = (),
    deny_models: Sequence[str] = (),
    residency: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """`residency` is {allowed, default}."""
    row = workspaces.create(
        actor=SYSTEM,
        organization=Organization.objects.get(name=organization),
        name=name,
        residency=Residency(**residency or {}),
    )
    workspaces.set_models(actor=SYSTEM, workspace=row, allowed=allow_models, denied=deny_models)
    if limits:
        Workspace.objects.filter(pk=row.pk).update(limits=limits)
    return {"id": row.id}


def keep_contents(*, workspace: str, days: int) -> dict[str, Any]:
    workspaces.keep_contents(actor=SYSTEM, workspace=Workspace.objects.get(pk=workspace), days=days)
    return {}


def content(*, organization: str, request_id: str) -> dict[str, Any]:
    """What is kept of a request: nothing is {}."""
    try:
        found = request_contents.read(
            actor=SYSTEM, organization=Organization.objects.get(pk=organization), request_id=request_id
        )
    except NotFound:
        return {}
    told = dataclasses.asdict(found) | {"expires_at": found.expires_at.isoformat()}
    bodies = {"request": found.request.decode(), "response": found.response.decode()}
    return told | bodies | {"headers": msgspec.to_builtins(found.headers)}


def stored(*, request_id: str) -> dict[str, Any]:
    """The columns as they lie in the database."""
    row = RequestContent.objects.get(request_id=request_id)
    return {
        "headers": bytes(row.headers).decode("latin-1"),
        "request": bytes(row.request).decode("latin-1"),
        "response": bytes(row.response).decode("latin-1"),
    }


def residency(*, workspace: str, **wanted: Any) -> dict[str, Any]:
    """Other geographies for a workspace than those it was made with."""
    row = Workspace.objects.get(pk=workspace)
    workspaces.update(actor=SYSTEM, workspace=row, residency=Residency(**wanted))
    return {}


def api_key(
    *,
    organization: str,
    name: str = "test",
    workspace: str | None = None,
    expires_in: float | None = None,
    allow_models: Sequence[str] = (),
    deny_models: Sequence[str] = (),
    **rest: Any,
) -> dict[str, Any]:
    row, secret = api_keys.create(
        actor=SYSTEM,
        organization=Organization.objects.get(name=organization),
        name=name,
        workspace=Workspace.objects.get(pk=workspace) if workspace else None,
        allowed_models=allow_models,
        denied_models=deny_models,
        expires_at=timezone.now() + datetime.timedelta(seconds=expires_in) if expires_in else None,
        **rest,
    )
    return {"id": row.id, "secret": secret}


def operator_key() -> dict[str, Any]:
    row, secret = operator_keys.create(actor=SYSTEM, name="test")
    return {"id": row.id, "secret": secret}


def member(*, organization: str, email: str, password: str) -> dict[str, Any]:
    """A person who signs in with a password, an admin of the organization."""
    _, token = invites.create(
        actor=SYSTEM, organization=Organization.objects.get(name=organization), email=email, role="admin"
    )
    invites.accept(token=token, name="Ada", password=password, user=None)
    return {}


def adopt(*, organization: str, secret: str) -> dict[str, Any]:
    """Make a key whose secret was known before."""
    row = ApiKey.objects.get(pk=api_key(organization=organization)["id"])
    pepper = settings.CONFIGURATION.key_pepper.get_secret_value().encode()
    with transaction.atomic():
        row.digest = credentials.digest(secret, pepper)
        row.save(update_fields=["digest"])
        publish.key_changed(row.digest)
    return {}


def rules(*, organization: str, allow_models: list[str], deny_models: list[str]) -> dict[str, Any]:
    """Other models for an organization than those it was made with."""
    organizations.set_models(
        actor=SYSTEM,
        organization=Organization.objects.get(name=organization),
        allowed=allow_models,
        denied=deny_models,
    )
    return {}


def limits(*, organization: str, limits: dict[str, int]) -> dict[str, Any]:
    organizations.set_limits(
        actor=SYSTEM, organization=Organization.objects.get(name=organization), limits=limits
    )
    return {}


def key_status(*, id: str, status: str) -> dict[str, Any]:
    api_keys.update(actor=SYSTEM, key=ApiKey.objects.get(pk=id), status=status)
    return {}


def used(*, organization: str) -> dict[str, Any]:
    """What reports say of the last and the next hour."""
    row, hour = Organization.objects.get(name=organization), datetime.timedelta(hours=1)
    sums = reports.totals(row.id, start=timezone.now() - hour, end=timezone.now() + hour)
    return {"requests": sums.requests, "output_tokens": sums.output_tokens}


WISHES: dict[str, Callable[..., dict[str, Any]]] = {
    act.__name__: act
    for act in (
        provider,
        drain,
        remove_model,
        model,
        organization,
        workspace,
        keep_contents,
        content,
        stored,
        residency,
        rules,
        limits,
        api_key,
        operator_key,
        member,
        adopt,
        key_status,
        used,
    )
}

if __name__ == "__main__":
    for line in sys.stdin:
        wish = json.loads(line)
        connection.close()  # Postgres may have been away since the last one
        print(json.dumps(WISHES[wish.pop("do")](**wish)), flush=True)
