"""Reports as tests ask for them: in this process, page by page, and with rows of the ledger to compare with."""

from __future__ import annotations

import dataclasses
import datetime
from typing import Any

from django.test import Client

from admin_api.actions import api_keys, workspaces
from admin_api.actor import SYSTEM
from gateway.metering.event import UsageEvent
from gateway.models import ApiKey, Organization, ServiceAccount, Workspace
from tests.admin_api.door import admin_key
from tests.metering.ledger import Ledger, attempt_at, usage_event
from tests.people import Cast

DAY = datetime.timedelta(days=1)
HOUR = datetime.timedelta(hours=1)
MINUTE = datetime.timedelta(minutes=1)
TODAY = datetime.datetime.now(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
MONDAY = TODAY - 3 * DAY  # a day that is over, whatever it is called

USAGE, COST, CLAUDE_CODE = (
    f"/v1/organizations/{path}"
    for path in ("usage_report/messages", "cost_report", "usage_report/claude_code")
)


@dataclasses.dataclass
class Office:
    """Acme with what usage is told apart by: three keys, of Dev, of a service account and of nobody."""

    acme: Organization
    umbrella: Organization
    ledger: Ledger
    secret: str
    other_secret: str
    default: Workspace
    lab: Workspace
    account: str
    service_account: str
    of_dev: ApiKey
    of_robot: ApiKey
    of_nobody: ApiKey

    def ask(self, path: str, *, secret: str | None = None, **query: Any) -> dict[str, Any]:
        answer = self.raw(path, secret=secret, **query)
        assert answer.status_code == 200, answer.content
        found: dict[str, Any] = answer.json()
        return found

    def refused(self, path: str, **query: Any) -> str:
        answer = self.raw(path, **query)
        assert answer.status_code == 400, answer.content
        return str(answer.json()["error"]["message"])

    def raw(self, path: str, *, secret: str | None = None, **query: Any) -> Any:
        asked = {
            f"{name}[]" if isinstance(value, list) else name: _written(value) for name, value in query.items()
        }
        return Client().get(path, asked, headers={"x-api-key": secret or self.secret})

    def walk(self, path: str, **query: Any) -> list[dict[str, Any]]:
        """Everything, page by page."""
        page = self.ask(path, **query)
        found = page["data"]
        while page["has_more"]:
            page = self.ask(path, **query, page=page["next_page"])
            found += page["data"]
        assert page["next_page"] is None
        return list(found)

    def use(self, at: datetime.datetime = MONDAY, **changes: Any) -> UsageEvent:
        """One event in the ledger, of Acme's default workspace and Dev's key unless told otherwise."""
        event = self.event(at, **changes)
        self.ledger.record(event)
        return event

    def event(self, at: datetime.datetime = MONDAY, **changes: Any) -> UsageEvent:
        of = {"organization_id": self.acme.id, "workspace_id": self.default.id, "api_key_id": self.of_dev.id}
        return usage_event(attempt_id=attempt_at(at), **{**of, **changes})


def office(people: Cast, ledger: Ledger) -> Office:
    acme = people.acme
    robot = ServiceAccount.objects.create(organization=acme, name="Robot")
    of_dev, of_robot, of_nobody = (
        api_keys.create(actor=SYSTEM, organization=acme, name=name)[0] for name in ("Dev", "Robot", "Server")
    )
    ApiKey.objects.filter(pk=of_dev.pk).update(user=people.dev)
    ApiKey.objects.filter(pk=of_robot.pk).update(service_account=robot)
    return Office(
        acme=acme,
        umbrella=people.umbrella,
        ledger=ledger,
        secret=admin_key(acme)[1],
        other_secret=admin_key(people.umbrella)[1],
        default=Workspace.objects.get(organization=acme, is_default=True),
        lab=workspaces.create(actor=SYSTEM, organization=acme, name="Lab"),
        account=people.dev.id,
        service_account=robot.id,
        of_dev=of_dev,
        of_robot=of_robot,
        of_nobody=of_nobody,
    )


def results(buckets: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Of all buckets together."""
    return [result for bucket in buckets for result in bucket["results"]]


def _written(value: Any) -> Any:
    return value.isoformat().replace("+00:00", "Z") if isinstance(value, datetime.datetime) else value
