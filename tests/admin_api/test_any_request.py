"""Schemathesis asks every operation of the Admin API for right and wrong things, over a real socket.

Whatever is sent, nothing breaks, and what is answered is what the OpenAPI document says. `make fuzz` sends more;
FUZZ_SEED=number repeats a run, FUZZ_EXAMPLES=number says how many generated requests each operation gets.
"""

from __future__ import annotations

import collections
import copy
import os
import re
import zlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, settings
from pytest_django.plugin import DjangoDbBlocker
from schemathesis import checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.generation import GenerationMode

from admin_api import webhook_events
from admin_api.actions import (
    api_keys,
    invites,
    model_groups,
    operator_keys,
    service_accounts,
    webhook_endpoints,
    workspace_members,
    workspaces,
)
from admin_api.actor import SYSTEM
from admin_api.openapi.document import document
from gateway.models import (
    ApiKey,
    Invite,
    Membership,
    Model,
    ModelGroup,
    Organization,
    Provider,
    ServiceAccount,
    Tier,
    WebhookEndpoint,
    Workspace,
)
from tests.admin_api.door import ME, Door, admin_key
from tests.committed import clear, committed
from tests.people import Cast, cast, person

pytestmark = pytest.mark.long
SEED = int(os.environ.get("FUZZ_SEED", "4"))
MODEL = "claude-sonnet-5-5"  # the simulator serves it
ADMIN = "/v1/organizations/"
COMMON = "#/components/parameters/anthropic-"
LONGEST_URL = 60_000
LONGEST_ID = 100  # what is longer is wrong on purpose
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "6"))
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
# Wrong to Schemathesis; here an empty value in a query is none at all.
EMPTY_VALUE = re.compile(r"[?&][^=&]+=(&|$)")
# Names of parameters and fields that hold ids, with the rows they name.
IDS: dict[str, Callable[[Organization], list[str]]] = {
    "user_id": lambda acme: _ids(Membership, acme, "user_id"),
    "created_by_user_id": lambda acme: _ids(Membership, acme, "user_id"),
    "workspace_id": lambda acme: _ids(Workspace, acme),
    "organization_id": lambda acme: [str(acme.id)],
    "email": lambda acme: [f"new{number}@example.com" for number in range(9)],
    "invite_id": lambda acme: _ids(Invite, acme),
    "api_key_id": lambda acme: _ids(ApiKey, acme),
    "service_account_id": lambda acme: _ids(ServiceAccount, acme),
    "webhook_endpoint_id": lambda acme: _ids(WebhookEndpoint, acme),
    "url": lambda acme: [f"https://1.1.1.{number}/" for number in range(9)],
}
CATALOG = {"providers": Provider, "model_groups": ModelGroup, "models": Model, "tiers": Tier}

# How often each operation of this run was answered with which status.
STATUSES: dict[str, collections.Counter[int]] = collections.defaultdict(collections.Counter)

config = SchemathesisConfig(seed=SEED)
config.projects.default.generation.update(
    modes=list(GenerationMode), max_examples=EXAMPLES, with_security_parameters=False
)
config.projects.default.phases.coverage.unexpected_methods = {"put", "trace"}


def _without_common_headers(whole: dict[str, Any]) -> dict[str, Any]:
    """What every operation reads alike need not be tried at every one; it is at the first, `me`."""
    whole = copy.deepcopy(whole)
    for path, methods in whole["paths"].items():
        for operation in methods.values() if path.startswith(ADMIN) and path != ME else ():
            parameters = operation.get("parameters", [])
            operation["parameters"] = [
                one for one in parameters if not one.get("$ref", "").startswith(COMMON)
            ]
    return whole


schema = schemathesis.openapi.from_dict(_without_common_headers(document()), config=config)
admin_api = schema.include(path_regex=r"^/v1/organizations/")
platform_api = schema.include(path_regex=r"^/platform/v1/")
data_plane = schema.exclude(path_regex=r"^/(v1/organizations|platform)/")
patient = settings(
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        yield session


class Stage:
    """People and what is theirs, made anew after every operation that may have changed them."""

    def __init__(self) -> None:
        self.changed = True
        self.tiers = list(Tier.objects.all())  # as migrations made them

    def prepare(self) -> None:
        print(f"FUZZ_SEED={SEED}")  # pytest shows it with what failed
        if self.changed:
            clear()
            for tier in self.tiers:
                tier.save()
            people = cast()
            _furnish(people)
            self.admin = admin_key(people.acme)[1]
            self.key = api_keys.create(actor=SYSTEM, organization=people.acme, name="Fuzz")[1]
            self.operator = operator_keys.create(actor=SYSTEM, name="Fuzz")[1]
            self.names = {
                kind: list(model.objects.order_by("name").values_list("name", flat=True)[:5])
                for kind, model in CATALOG.items()
            }
            organizations = (people.acme, people.umbrella)
            self.ids = {
                name: [id for one in organizations for id in found(one)] for name, found in IDS.items()
            }
        self.changed = False


@pytest.fixture(scope="module")
def whole_stage(django_db_setup: None, django_db_blocker: DjangoDbBlocker) -> Iterator[Stage]:
    with committed(django_db_blocker):
        yield Stage()


@pytest.fixture
def stage(whole_stage: Stage) -> Stage:
    whole_stage.prepare()
    return whole_stage


@admin_api.parametrize()
@patient
def test_any_request_is_answered_as_the_document_says(
    case: schemathesis.Case, door: Door, session: requests.Session, stage: Stage
) -> None:
    _try(case, door, session, stage, stage.admin, {})


@platform_api.parametrize()
@patient
def test_so_is_any_request_to_the_platform_api(
    case: schemathesis.Case, door: Door, session: requests.Session, stage: Stage
) -> None:
    names = {"name": stage.names[case.path.split("/")[3]]} if "{name}" in case.path else {}
    _try(case, door, session, stage, stage.operator, names)


@data_plane.parametrize()
@patient
def test_so_is_any_request_to_the_data_plane(
    case: schemathesis.Case, door: Door, session: requests.Session, stage: Stage
) -> None:
    """What it relays is the provider's to judge, so wrong bodies may pass."""
    _name_what_exists(case, {"model": [MODEL]}, {})
    _ask(case, door, session, stage.key)


def test_what_was_asked_was_not_only_refused() -> None:
    """Else the tests above would hold for a gateway that refuses everything."""
    never = [label for label, seen in STATUSES.items() if 200 not in seen]

    assert STATUSES and len(never) <= len(STATUSES) // 4, never


def _try(
    case: schemathesis.Case,
    door: Door,
    session: requests.Session,
    stage: Stage,
    key: str,
    path_ids: dict[str, list[str]],
) -> None:
    """Right requests and wrong ones, which are refused; what they change is made anew after this operation."""
    stage.changed = stage.changed or case.method != "GET"
    _name_what_exists(case, stage.ids, path_ids)
    answer = _ask(case, door, session, key)
    if not EMPTY_VALUE.search(answer.request.url or ""):
        case.validate_response(answer, checks=[checks.negative_data_rejection])
    STATUSES[case.operation.label][answer.status_code] += 1


def _ask(case: schemathesis.Case, door: Door, session: requests.Session, key: str) -> Response:
    """The server under the gateway refuses a path and query of more than 64 KiB in its own way."""
    answer = case.call(base_url=door.base_url, session=session, headers={"x-api-key": key}, timeout=20)
    if len(answer.request.url or "") < LONGEST_URL:
        case.validate_response(answer, checks=CHECKS)
    return answer


def _name_what_exists(
    case: schemathesis.Case, ids: dict[str, list[str]], path_ids: dict[str, list[str]]
) -> None:
    """Of generated ids, which name nothing, three in four become real ones; always the same ones."""
    body = case.body if isinstance(case.body, dict) else {}
    for holder, pool in ((case.path_parameters, ids | path_ids), (case.query, ids), (body, ids)):
        for name in holder or {}:
            known, generated = pool.get(name, []), holder[name]
            chance = zlib.crc32(repr(generated).encode())
            if known and isinstance(generated, str) and 1 <= len(generated) <= LONGEST_ID and chance % 4:
                holder[name] = known[chance // 4 % len(known)]


def _furnish(people: Cast) -> None:
    for name in ("large", "small"):
        model_groups.upsert(actor=SYSTEM, name=name)
    for number in range(4):
        person(f"P{number}", people.acme, Membership.Role.USER)
    for organization in (people.acme, people.umbrella):
        for name in ("Lab", "Shop", "Old"):
            workspace = workspaces.create(actor=SYSTEM, organization=organization, name=name)
            api_keys.create(actor=SYSTEM, organization=organization, name=name)
            service_accounts.create(actor=SYSTEM, organization=organization, name=name.lower())
            for membership in organization.memberships.filter(role="user"):
                workspace_members.add(
                    actor=SYSTEM, workspace=workspace, membership=membership, role="workspace_user"
                )
            webhook_endpoints.create(
                actor=SYSTEM,
                organization=organization,
                url="https://1.1.1.1/",
                enabled_events=webhook_events.TYPES,
            )
        workspaces.archive(actor=SYSTEM, workspace=workspace)
    for member in Membership.objects.filter(organization=people.acme):
        invites.create(actor=SYSTEM, organization=people.acme, email=f"x{member.user.email}", role="user")


def _ids(model: Any, organization: Organization, field: str = "id") -> list[str]:
    return list(model.objects.filter(organization=organization).order_by("id").values_list(field, flat=True))
