"""Every route of the data plane for everybody there is, and with what is another organization's.

The routes are those of the front door. A new one needs a right request in `SCENARIOS`; all the rest is tried by itself.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
import redis
from django.utils import timezone
from pytest_django.plugin import DjangoDbBlocker

from admin_api.actions import api_keys, operator_keys, organizations, service_accounts, workspaces
from admin_api.actor import SYSTEM
from gateway.asgi import data_plane
from gateway.batches.intake import Intake
from gateway.batches.store import BatchStore
from gateway.engine.plane import Plane
from gateway.ids import attempt_time, new_id
from gateway.metering import event
from gateway.models import ApiKey, MessageBatch, Organization
from gateway.shards import SHARDS, usage_stream
from tests.admin_api.door import Door, admin_key
from tests.batches.rows import batch_of
from tests.committed import committed
from tests.data_plane.wire import Answer
from tests.people import Cast
from tests.people import cast as people_cast

MODEL = "claude-haiku-5-5"  # the simulator serves it
HELLO = [{"role": "user", "content": "Hello"}]
NOTHING_THERE = ""  # the pattern of whatever else is asked for below /v1

# By pattern: a path that it matches (of batches with the id of a new one), and the body of a POST.
SCENARIOS: dict[str, tuple[str, dict[str, Any] | None]] = {
    "messages$": ("/v1/messages", {"model": MODEL, "max_tokens": 16, "messages": HELLO}),
    "chat/completions$": ("/v1/chat/completions", {"model": MODEL, "messages": HELLO}),
    "responses$": ("/v1/responses", {"model": MODEL, "input": "Hello"}),
    "messages/count_tokens$": ("/v1/messages/count_tokens", {"model": MODEL, "messages": HELLO}),
    "messages/batches$": (
        "/v1/messages/batches",
        {"requests": [{"custom_id": "a", "params": {"model": MODEL, "max_tokens": 16, "messages": HELLO}}]},
    ),
    "messages/batches/(?P<id>[^/]+)$": ("/v1/messages/batches/{ended}", None),
    "messages/batches/(?P<id>[^/]+)/cancel$": ("/v1/messages/batches/{running}/cancel", None),
    "messages/batches/(?P<id>[^/]+)/results$": ("/v1/messages/batches/{ended}/results", None),
    "models$": ("/v1/models", None),
    "models/(?P<name>.+)$": (f"/v1/models/{MODEL}", None),
}

NOBODY = (401, "x-api-key header is required")
UNKNOWN = (401, "invalid x-api-key")


@dataclasses.dataclass(frozen=True)
class Caller:
    """`refusal` is a status and a message; None is served."""

    name: str
    headers: tuple[tuple[str, str], ...]
    refusal: tuple[int, str] | None


class Scene:
    def __init__(self, door: Door, people: Cast) -> None:
        self.door = door
        self.acme = acme = people.acme
        self.theirs = [
            people.umbrella.workspaces.get().id,
            workspaces.create(actor=SYSTEM, organization=people.umbrella, name="Theirs").id,
        ]
        self.served = [
            keyed("an API key", key(acme)),
            keyed("an API key of a member", key(acme, user=people.dev)),
            keyed("an API key of a service account", bound_key(acme, "ci")),
        ]
        self.refused = [
            Caller("nobody", (), NOBODY),
            *(keyed(f"an {status} key", stopped(acme, status), UNKNOWN) for status in STOPPED),
            keyed("a key of an archived service account", bound_key(acme, "old", archived=True), UNKNOWN),
            keyed("a key of an archived workspace", key_of_archived_workspace(acme), UNKNOWN),
            keyed(
                "an Admin key", admin_key(acme)[1], (403, "An Admin key cannot call models; use an API key.")
            ),
            keyed(
                "an operator key",
                operator_keys.create(actor=SYSTEM, name="Olga's")[1],
                (403, "An operator key cannot call models; use an API key."),
            ),
            keyed(
                "a suspended organization's key",
                suspended_key(acme),
                (403, "This organization has been suspended."),
            ),
            *(session(door, user) for user in (people.ada, people.dev, people.olga)),
        ]

    def ask(self, caller: Caller, route: tuple[str, str], *more: tuple[str, str]) -> Answer:
        method, pattern = route
        path, body = SCENARIOS[pattern]
        if "{" in path:
            path = path.format(ended=self._batch(ended=True), running=self._batch(ended=False))
        content = [("content-type", "application/json")] if body else []
        raw = json.dumps(body).encode() if body else b""
        return self.door.ask(method, path, headers=[*caller.headers, *content, *more], body=raw)

    def _batch(self, *, ended: bool) -> str:
        """A new one of Acme's, since it can be deleted once; its id."""
        status = MessageBatch.Status.ENDED if ended else MessageBatch.Status.IN_PROGRESS
        return batch_of(self.acme, items=1, status=status).id


STOPPED = ("inactive", "archived", "expired")


def routes() -> Iterator[tuple[str, str]]:
    """Method and pattern, as the front door has them below `/v1`."""
    for route in data_plane(cast(Plane, None), cast(BatchStore, None), cast(Intake, None)):
        pattern = str(route.pattern).removeprefix("^v1/(?:v1/)?")
        methods = route.callback.consumer_class.methods if pattern != NOTHING_THERE else ()
        yield from ((method, pattern) for method in methods)


every_route = pytest.mark.parametrize("route", list(routes()), ids=" ".join)


@pytest.fixture(scope="module")
def scene(django_db_setup: None, django_db_blocker: DjangoDbBlocker, door: Door) -> Iterator[Scene]:
    with committed(django_db_blocker):
        yield Scene(door, people_cast())


def test_every_route_has_its_scenario() -> None:
    assert sorted(SCENARIOS) == sorted({pattern for _, pattern in routes()})


@every_route
def test_who_may_is_served(scene: Scene, route: tuple[str, str]) -> None:
    assert [scene.ask(caller, route).status for caller in scene.served] == [200, 200, 200]


@every_route
def test_who_may_not_gets_nothing(scene: Scene, valkey_client: redis.Redis, route: tuple[str, str]) -> None:
    """Nor is anything settled for them."""
    since = timezone.now()

    answers = {caller.name: scene.ask(caller, route) for caller in scene.refused}

    expected = {caller.name: caller.refusal for caller in scene.refused}
    if route[0] == "HEAD":
        assert {name: answer.status for name, answer in answers.items()} == {
            name: refusal[0] for name, refusal in expected.items() if refusal
        }
    else:
        told = {name: (answer.status, answer.json["error"]["message"]) for name, answer in answers.items()}
        assert told == expected
    assert _events(valkey_client, since) == 0


@every_route
def test_a_workspace_of_umbrella_looks_like_one_that_does_not_exist(
    scene: Scene, valkey_client: redis.Redis, route: tuple[str, str]
) -> None:
    since = timezone.now()
    for caller in scene.served:
        answers = [
            scene.ask(caller, route, ("anthropic-workspace-id", id))
            for id in (*scene.theirs, new_id("wrkspc"))
        ]
        assert [answer.status for answer in answers] == [403] * 3
        if route[0] != "HEAD":
            assert len({json.dumps(answer.json["error"]) for answer in answers}) == 1
    assert _events(valkey_client, since) == 0


@pytest.fixture
def valkey_client(valkey_server: Any) -> Iterator[redis.Redis]:
    """As the gateway's processes left it."""
    with redis.Redis.from_url(valkey_server.url) as client:
        yield client


def keyed(name: str, secret: str, refusal: tuple[int, str] | None = None) -> Caller:
    return Caller(name, (("x-api-key", secret),), refusal)


def session(door: Door, user: Any) -> Caller:
    """Cookies of the dashboard open nothing here."""
    client: httpx.Client = door.signed_in(user)
    cookies = "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    return Caller(f"{user.name}, signed in", (("cookie", cookies),), NOBODY)


def key(organization: Organization, **acts_for: Any) -> str:
    return api_keys.create(actor=SYSTEM, organization=organization, name="A key", **acts_for)[1]


def bound_key(organization: Organization, name: str, *, archived: bool = False) -> str:
    account = service_accounts.create(actor=SYSTEM, organization=organization, name=name)
    secret = key(organization, service_account=account)
    if archived:
        service_accounts.archive(actor=SYSTEM, service_account=account)
    return secret


def key_of_archived_workspace(organization: Organization) -> str:
    old = workspaces.create(actor=SYSTEM, organization=organization, name="Old")
    secret = key(organization, workspace=old)
    workspaces.archive(actor=SYSTEM, workspace=old)
    return secret


def stopped(organization: Organization, status: str) -> str:
    row, secret = api_keys.create(actor=SYSTEM, organization=organization, name=status)
    if status == "expired":
        before = timezone.now() - datetime.timedelta(seconds=1)
        ApiKey.objects.filter(pk=row.pk).update(expires_at=before)
    else:
        api_keys.update(actor=SYSTEM, key=row, status=status)
    return secret


def suspended_key(acme: Organization) -> str:
    gone = organizations.create(actor=SYSTEM, name="Gone", tier=acme.tier)
    secret = key(gone)
    organizations.suspend(actor=SYSTEM, organization=gone)
    return secret


def _events(valkey: redis.Redis, since: datetime.datetime) -> int:
    """How many attempts began since then; what was lost before, a gateway may send again at any time."""
    entries: Any = [entry for shard in range(SHARDS) for entry in valkey.xrange(usage_stream(shard))]
    events = [event.decode(fields[event.FIELD.encode()]) for _, fields in entries]
    return sum(attempt_time(one.attempt_id) >= since for one in events)
