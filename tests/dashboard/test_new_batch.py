"""Starting a batch in the browser: what is wrong is told by line, and what is started is what the file says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone

from admin_api.actions import models, organizations, workspaces
from admin_api.actor import SYSTEM
from admin_api.catalog import RouteTo
from dashboard.batches import hints
from gateway.batch_states import ItemState
from gateway.models import ApiKey, AuditEntry, BatchItem, MessageBatch, Workspace, WorkspaceMember
from tests.batches.rows import batch_of
from tests.dashboard.test_batches import OVERLOADED, item
from tests.dashboard.test_limits import key_of
from tests.dashboard.test_pages import as_
from tests.people import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def told(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """How often workers were told: there are none in these tests, and no broker."""
    calls: list[str] = []
    monkeypatch.setattr(hints, "tell", lambda: calls.append("told"))
    return calls


@pytest.fixture(autouse=True)
def _models(people: Cast) -> None:
    for name in ("known", "denied"):
        models.upsert(actor=SYSTEM, name=name, routes=[RouteTo("simulator", name)])


def line(custom_id: str, **params: Any) -> str:
    return json.dumps(
        {"custom_id": custom_id, "params": {"model": "known", "max_tokens": 5, "messages": [{}]} | params}
    )


def send(client: Client, text: str | bytes, owner: str, **fields: str) -> Any:
    content = text if isinstance(text, bytes) else text.encode()
    file = SimpleUploadedFile("requests.jsonl", content)
    return client.post("/batches/new", {"file": file, "owner": owner, **fields})


def owner_of(workspace: Workspace, key: ApiKey | None = None) -> str:
    return f"{workspace.id}/{key.id if key else ''}"


def problems(page: str) -> list[str]:
    (listed,) = re.findall(r'<ol class="batch-problems">(.*?)</ol>', page, re.S)
    return [re.sub(r"<[^>]+>", "", one) for one in re.findall(r"<li>(.*?)</li>", listed)]


def test_a_file_becomes_a_batch_of_the_chosen_key(client: Client, people: Cast, told: list[str]) -> None:
    default = people.acme.workspaces.get()
    key = key_of(people.acme, default)
    odd = '{"custom_id": "b",   "params": {"messages":[{}],"max_tokens":1,"model":"known","x":1.50}}'

    answer = send(as_(client, people.dev), f"\ufeff{line('a')}\r\n\n{odd}", owner_of(default, key))

    batch = MessageBatch.objects.get()
    assert answer["location"] == f"/batches/{batch.id}"
    assert (batch.workspace, batch.api_key_id, batch.total, batch.model_names) == (
        default,
        key.id,
        2,
        ["known"],
    )
    assert (batch.status, batch.version, batch.relayed) == (
        "in_progress",
        "2023-06-01",
        [["anthropic-version", "2023-06-01"]],
    )
    items = BatchItem.objects.filter(batch=batch).order_by("number")
    assert [(one.number, one.custom_id, one.state) for one in items] == [(0, "a", 0), (1, "b", 0)]
    assert (
        bytes(items[1].params) == b'{"messages":[{}],"max_tokens":1,"model":"known","x":1.50}'
    )  # as it came
    entry = AuditEntry.objects.get(action="message_batch.created")
    assert (entry.actor_id, entry.target_id, entry.details["requests"]) == (people.dev.id, batch.id, 2)
    assert told == ["told"]


def test_without_a_key_the_batch_is_the_members_own(client: Client, people: Cast) -> None:
    default = people.acme.workspaces.get()

    send(as_(client, people.dev), line("a"), owner_of(default))

    key = ApiKey.objects.get(id=MessageBatch.objects.get().api_key_id)
    assert (key.kind, key.user, key.workspace) == ("playground", people.dev, default)


def test_what_is_wrong_is_told_by_line_and_nothing_runs(
    client: Client, people: Cast, told: list[str]
) -> None:
    default = people.acme.workspaces.get()
    key = key_of(people.acme, default, denied_models=["denied"])
    text = "\n".join(
        [
            line("a"),
            "{not json",
            '{"custom_id": "c"}',
            line("a"),
            "",
            line("c", stream=True),
            line("f", model="nobody's <model>"),
            line("g", max_tokens=0),
            line("h", messages=[]),
            line("i", model="denied"),
            line("no spaces"),
            "[]",
        ]
    )

    answer = send(as_(client, people.dev), text, owner_of(default, key))

    page = answer.content.decode()
    assert answer.status_code == 400
    found = problems(page)
    assert found[0].startswith("Line 2 not valid JSON")
    assert found[1:] == [
        "Line 3 params: Field required",
        "Line 4 custom_id: must be unique, and is that of line 1 too",
        "Line 6 custom_id: must be unique, and is that of line 3 too",
        "Line 7 params.model: &quot;nobody&#x27;s &lt;model&gt;&quot; is no model that this key may use here",
        "Line 8 params: Expected `int` &gt;= 1 - at `$.max_tokens`",
        "Line 9 params: Expected `array` of length &gt;= 1 - at `$.messages`",
        "Line 10 params.model: &#x27;denied&#x27; is no model that this key may use here",
        "Line 11 custom_id: String should match pattern &#x27;^[a-zA-Z0-9_-]{1,64}$&#x27;",
        "Line 12 Input should be an object",
    ]
    assert "10 lines wrong." in page and "1 other would be right." in page
    assert not MessageBatch.objects.exists() and not BatchItem.objects.exists() and told == []


def test_many_wrong_lines_are_counted_and_the_first_told(client: Client, people: Cast) -> None:
    answer = send(as_(client, people.dev), "x\n" * 70, owner_of(people.acme.workspaces.get()))

    page = answer.content.decode()
    assert len(problems(page)) == 50
    assert "70 lines wrong." in page and "and 20 more." in page


@pytest.mark.parametrize("text", [b"", b"\n \n", b"\xff\xfe{}"])
def test_a_file_without_requests_is_refused(client: Client, people: Cast, text: bytes) -> None:
    answer = send(as_(client, people.dev), text, owner_of(people.acme.workspaces.get()))

    assert answer.status_code == 400
    assert not MessageBatch.objects.exists()


def test_checking_alone_starts_nothing_and_answers_with_the_part_alone(client: Client, people: Cast) -> None:
    dev, owner = as_(client, people.dev), owner_of(people.acme.workspaces.get())
    file = SimpleUploadedFile("f.jsonl", f"{line('a')}\n{line('b')}".encode())

    answer = dev.post(
        "/batches/new", {"file": file, "owner": owner, "what": "check"}, headers={"hx-request": "true"}
    )

    part = answer.content.decode()
    assert part.lstrip().startswith('<div id="checked"')
    assert "2 requests, nothing wrong." in part and "2 to known" in part
    assert not MessageBatch.objects.exists()


def test_keys_of_others_are_not_to_be_had(client: Client, people: Cast) -> None:
    default, theirs = people.acme.workspaces.get(), people.umbrella.workspaces.get()
    lab = workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")
    own = key_of(people.acme, default, name="Own", user=people.dev)
    adas = key_of(people.acme, default, name="Adas", user=people.ada)
    off = key_of(people.acme, default, name="Off", status="inactive")
    old = key_of(people.acme, default, name="Old", expires_at=timezone.now())
    hidden = key_of(people.acme, lab, name="Hidden")
    foreign = key_of(people.umbrella, theirs, name="Foreign")
    dev = as_(client, people.dev)

    page = dev.get("/batches/new").content.decode()

    assert re.findall(r'<option value="([^"]+)"', page) == [owner_of(default), owner_of(default, own)]
    for workspace, key in (
        (default, adas),
        (default, off),
        (default, old),
        (lab, hidden),
        (theirs, foreign),
        (lab, own),
    ):
        assert send(dev, line("a"), owner_of(workspace, key)).status_code == 400
    assert not MessageBatch.objects.exists()


def test_who_works_with_keys_nowhere_starts_nothing(client: Client, people: Cast) -> None:
    default = people.acme.workspaces.get()
    for who in (people.bill, people.uma):
        other = as_(Client(), who)
        assert other.get("/batches/new").status_code == 403
        assert send(other, line("a"), owner_of(default)).status_code == 403
        assert ">New batch<" not in other.get("/batches").content.decode()
    lab = workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")
    WorkspaceMember.objects.create(
        organization=people.acme, workspace=lab, user=people.uma, role="workspace_developer"
    )
    uma = as_(client, people.uma)
    assert ">New batch<" in uma.get("/batches").content.decode()
    assert send(uma, line("a"), owner_of(lab)).status_code == 302
    assert MessageBatch.objects.get().workspace == lab


def test_the_queue_of_batches_holds_for_the_page_too(client: Client, people: Cast) -> None:
    default = people.acme.workspaces.get()
    key = key_of(people.acme, default, group_limits={"batch": {"enqueued_batch_requests": 3}})
    batch_of(people.acme, api_key_id=key.id, total=2)

    answer = send(as_(client, people.dev), f"{line('a')}\n{line('b')}", owner_of(default, key))

    assert answer.status_code == 400
    assert "would exceed your API key&#x27;s rate limit of 3 batch requests" in answer.content.decode()
    assert MessageBatch.objects.count() == 1 and not BatchItem.objects.exists()


def test_a_suspended_organization_starts_nothing(client: Client, people: Cast) -> None:
    default = people.acme.workspaces.get()
    key = key_of(people.acme, default)
    organizations.suspend(actor=SYSTEM, organization=people.acme)

    answer = send(as_(client, people.dev), line("a"), owner_of(default, key))

    assert "This organization has been suspended." in answer.content.decode()
    assert not MessageBatch.objects.exists()


@pytest.fixture
def failed(people: Cast) -> MessageBatch:
    """Ended: two items errored, one expired, one succeeded."""
    key = key_of(people.acme, people.acme.workspaces.get())
    batch = batch_of(
        people.acme,
        api_key_id=key.id,
        status="ended",
        ended_at=timezone.now(),
        total=4,
        succeeded=1,
        errored=2,
        expired=1,
        version="2024-01-01",
        relayed=[["anthropic-beta", "x"]],
        model_names=["known"],
    )
    states = (ItemState.ERRORED, ItemState.SUCCEEDED, ItemState.EXPIRED, ItemState.ERRORED)
    for number, state in enumerate(states):
        item(batch, number, state, OVERLOADED)
    return batch


def test_what_failed_is_sent_again_as_it_was(
    client: Client, people: Cast, failed: MessageBatch, told: list[str]
) -> None:
    dev = as_(client, people.dev)
    assert f'href="/batches/{failed.id}/again"' in dev.get(f"/batches/{failed.id}").content.decode()
    page = dev.get(f"/batches/{failed.id}/again").content.decode()
    assert "2 errored" in page and "1 expired" in page and "canceled" not in page
    owner = f"{failed.workspace_id}/{failed.api_key_id}"
    assert f'<option value="{owner}" selected>' in page

    answer = dev.post(f"/batches/{failed.id}/again", {"states": ["errored"], "owner": owner})

    new = MessageBatch.objects.exclude(pk=failed.pk).get()
    assert answer["location"] == f"/batches/{new.id}"
    assert (new.total, new.version, new.relayed, new.model_names, new.api_key_id) == (
        2,
        "2024-01-01",
        [["anthropic-beta", "x"]],
        ["known"],
        failed.api_key_id,
    )
    items = BatchItem.objects.filter(batch=new).order_by("number")
    assert [(one.number, one.custom_id, one.state, one.result) for one in items] == [
        (0, "item-0", 0, None),
        (1, "item-3", 0, None),
    ]
    assert json.loads(bytes(items[1].params))["max_tokens"] == 4
    assert AuditEntry.objects.get(action="message_batch.created").details["again"] == failed.id
    assert told == ["told"]


def test_what_cannot_be_sent_again_has_no_such_page(
    client: Client, people: Cast, failed: MessageBatch
) -> None:
    running = batch_of(people.acme, errored=3)
    good = batch_of(people.acme, status="ended", succeeded=10, ended_at=timezone.now())
    gone = batch_of(
        people.acme, status="ended", errored=10, ended_at=timezone.now(), archived_at=timezone.now()
    )
    dev = as_(client, people.dev)

    assert {dev.get(f"/batches/{one.id}/again").status_code for one in (running, good, gone)} == {404}
    for other in (people.bill, people.uma, people.mallory):
        assert as_(Client(), other).get(f"/batches/{failed.id}/again").status_code == 404


def test_only_a_page_of_ours_starts_a_batch(people: Cast) -> None:
    client = as_(Client(enforce_csrf_checks=True), people.dev)

    assert send(client, line("a"), owner_of(people.acme.workspaces.get())).status_code == 403
    assert not MessageBatch.objects.exists()
