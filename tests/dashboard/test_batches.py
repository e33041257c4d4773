"""The pages of message batches: the list, one of them, and cancelling."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from admin_api.queries import batch_items as queries
from dashboard.batches.progress import shown
from gateway.batch_states import ItemState
from gateway.models import ApiKey, AuditEntry, BatchItem, MessageBatch, UsageMinute
from tests.batches.rows import DAY, batch_of
from tests.dashboard.test_pages import as_
from tests.people import Cast

pytestmark = pytest.mark.django_db
MINUTE = DAY / 1440


def test_the_list_has_the_newest_first_and_how_far_each_is(client: Client, people: Cast) -> None:
    old = batch_of(
        people.acme, age=3 * DAY, status="ended", succeeded=10, ended_at=timezone.now() - 2 * DAY + MINUTE / 2
    )
    new = batch_of(people.acme, succeeded=3, errored=1, age=61 * MINUTE)

    page = as_(client, people.dev).get("/batches").content.decode()

    assert re.findall(r'batch-id">(msgbatch_\w+)', page) == [new.id, old.id]
    assert re.findall(
        r"(?:In progress|Ended|4 of 10|1 errored|expires in [^<]+?|took [^<]+?)(?=<| ·)", page
    ) == [
        "In progress",
        "4 of 10",
        "1 errored",
        "expires in 22 h 58 min",
        "Ended",
        "took 24 h",
    ]


def test_the_list_goes_on_where_a_page_ends(client: Client, people: Cast) -> None:
    batches = [batch_of(people.acme, age=n * MINUTE).id for n in range(30)]
    as_(client, people.ada)

    first = client.get("/batches").content.decode()
    (older,) = re.findall(r'href="(/batches\?after=[^"]+)">Older', first)
    second = client.get(older).content.decode()

    pages = [re.findall(r'batch-id">(msgbatch_\w+)', page) for page in (first, second)]
    assert pages == [batches[:25], batches[25:]]
    assert "Older" not in second
    assert "Newest" in second
    assert f'hx-get="{older}"' in second


def test_a_place_in_another_organizations_list_is_refused(client: Client, people: Cast) -> None:
    foreign = batch_of(people.umbrella)

    answers = [as_(client, people.ada).get(f"/batches?after={id}") for id in (foreign.id, "nonsense")]

    assert [answer.status_code for answer in answers] == [400, 400]


def test_the_list_alone_is_what_refreshes(client: Client, people: Cast) -> None:
    batch = batch_of(people.acme)

    part = as_(client, people.ada).get("/batches", headers={"hx-request": "true"}).content.decode()

    assert part.lstrip().startswith('<section id="batches"')
    assert batch.id in part


def test_a_list_costs_the_same_whatever_its_length(client: Client, people: Cast) -> None:
    as_(client, people.dev)
    batch_of(people.acme)
    with CaptureQueriesContext(connection) as short:
        client.get("/batches")
    for n in range(12):
        batch_of(people.acme, age=n * MINUTE)
    with CaptureQueriesContext(connection) as long:
        client.get("/batches")

    assert len(long) == len(short)


def test_without_batches_there_is_one_to_try(client: Client, people: Cast) -> None:
    page = as_(client, people.dev).get("/batches").content.decode()

    assert "No batches yet" in page
    assert "client.messages.batches.create(" in page
    assert settings.CONFIGURATION.base_url in page


def test_a_batch_tells_its_counts_and_who_made_it(client: Client, people: Cast) -> None:
    key = ApiKey.objects.create(
        organization=people.acme,
        workspace=people.acme.workspaces.get(),
        kind="api",
        name="Nightly <run>",
        digest=b"1",
        hint="",
    )
    models = [f"model-{n}" for n in range(11)]
    batch = batch_of(
        people.acme, items=100, succeeded=40, errored=3, canceled=2, age=9 * MINUTE, model_names=models
    )
    batch.api_key_id = key.id
    batch.save()

    page = as_(client, people.dev).get(f"/batches/{batch.id}").content.decode()

    assert dict(re.findall(r'data-word="(\w+)">([^<]*)<', page)) == {
        "summary": "55 processing, 40 succeeded, 3 errored, 2 canceled, 0 expired",
        "status": "In progress",
        "percent": "45%",
        "done": "45 of 100",
        "rate": "5 a minute",
        "left": "about 11 min",
        "clock": "expires in 23 h 50 min",
        "processing": "55",
        "succeeded": "40",
        "errored": "3",
        "canceled": "2",
        "expired": "0",
    }
    assert re.findall(r'data-bar="(\w+)" x="(\d+)" width="(\d+)"', page) == [
        ("succeeded", "0", "400"),
        ("errored", "400", "30"),
        ("canceled", "430", "20"),
        ("expired", "450", "0"),
    ]
    assert "Nightly &lt;run&gt;" in page
    assert "model-7 and 3 more" in page
    assert f'data-batch="/batches/{batch.id}/events"' in page
    assert "Available once the whole batch has ended" in page


def test_a_batch_that_has_ended_tells_how_to_get_its_results(client: Client, people: Cast) -> None:
    ended = batch_of(
        people.acme, status="ended", succeeded=10, age=90 * MINUTE, ended_at=timezone.now() - 59.5 * MINUTE
    )

    page = as_(client, people.dev).get(f"/batches/{ended.id}").content.decode()

    assert f"{settings.CONFIGURATION.base_url}/v1/messages/batches/{ended.id}/results" in page
    assert ">30 min<" in page
    for what_moves in ("data-batch=", "batch.js", "Cancel batch", "expires in"):
        assert what_moves not in page


def test_results_that_are_gone_are_said_to_be(client: Client, people: Cast) -> None:
    gone = batch_of(people.acme, status="ended", ended_at=timezone.now(), archived_at=timezone.now())

    page = as_(client, people.dev).get(f"/batches/{gone.id}").content.decode()

    assert "these are gone" in page
    assert "/results" not in page


def test_what_hardly_shows_has_a_width_and_all_of_it_stays_in_the_bar(people: Cast) -> None:
    batch = MessageBatch(
        total=100_000,
        succeeded=99_997,
        errored=1,
        canceled=1,
        expired=1,
        created_at=timezone.now(),
        expires_at=timezone.now() + DAY,
    )
    few = MessageBatch(total=100_000, errored=1, created_at=timezone.now(), expires_at=timezone.now() + DAY)

    parts = shown(batch, timezone.now()).bar

    assert max(part.x + part.width for part in parts) == 1000
    assert [part.width for part in shown(few, timezone.now()).bar] == [0, 4, 0, 0]


@pytest.mark.parametrize("path", ["", "/events", "/cancel"])
@pytest.mark.parametrize("who", ["bill", "uma", "mallory"])
def test_for_others_a_batch_is_as_absent_as_none(client: Client, people: Cast, who: str, path: str) -> None:
    batch = batch_of(people.acme)
    as_(client, getattr(people, who))
    ask = client.post if path == "/cancel" else client.get

    answers = [ask(f"/batches/{id}{path}") for id in (batch.id, "msgbatch_nothing")]

    assert [answer.status_code for answer in answers] == [404, 404]
    words = {re.sub(r"req_\w+|/batches/\w+|value=\"\w+\"", "", answer.content.decode()) for answer in answers}
    assert len(words) == 1
    batch.refresh_from_db()
    assert batch.status == "in_progress"


def test_cancelling_leads_back_and_says_what_happens(client: Client, people: Cast) -> None:
    batch = batch_of(people.acme, succeeded=2)
    as_(client, people.dev)

    answer = client.post(f"/batches/{batch.id}/cancel", follow=True)

    assert answer.redirect_chain == [(f"/batches/{batch.id}", 302)]
    page = answer.content.decode()
    assert "Nothing more of this batch is sent." in page
    assert "Canceling" in page
    assert "Cancel batch" not in page
    line = AuditEntry.objects.get(action="message_batch.canceled")
    assert (line.actor_type, line.actor_id) == ("user", people.dev.id)
    assert line.ip_address == "127.0.0.1"


def test_what_has_ended_before_the_click_stays_as_it_is(client: Client, people: Cast) -> None:
    batch = batch_of(people.acme, status="ended", succeeded=10, ended_at=timezone.now())

    page = as_(client, people.dev).post(f"/batches/{batch.id}/cancel", follow=True).content.decode()

    assert "This batch had ended already." in page
    batch.refresh_from_db()
    assert batch.status == "ended"


def test_only_a_page_of_ours_may_cancel(people: Cast) -> None:
    batch = batch_of(people.acme)
    client = as_(Client(enforce_csrf_checks=True), people.dev)

    assert client.post(f"/batches/{batch.id}/cancel").status_code == 403
    batch.refresh_from_db()
    assert batch.status == "in_progress"


def test_billing_has_no_link_to_what_they_do_not_see(client: Client, people: Cast) -> None:
    assert 'href="/batches"' not in as_(client, people.bill).get("/").content.decode()
    assert 'href="/batches"' in as_(client, people.uma).get("/").content.decode()


def item(
    batch: MessageBatch, number: int, state: ItemState, result: object = None, **fields: Any
) -> BatchItem:
    line = None if result is None else json.dumps({"custom_id": f"item-{number}", "result": result}).encode()
    params = json.dumps({"model": "m", "max_tokens": number + 1, "messages": []}).encode()
    return BatchItem.objects.create(
        **{
            "batch": batch,
            "number": number,
            "custom_id": f"item-{number}",
            "params": params,
            "state": int(state),
            "tries": 1,
            "result": line,
        }
        | fields
    )


OVERLOADED = {
    "type": "errored",
    "error": {"type": "error", "error": {"type": "overloaded_error", "message": "Too <much>"}},
}
ANSWERED = {
    "type": "succeeded",
    "message": {"usage": {"input_tokens": 1200, "output_tokens": 34}, "stop_reason": "end_turn"},
}


def table(page: str) -> list[list[str]]:
    rows = re.findall(r"<tr><th scope=\"row\">(.*?)</tr>", page, re.S)
    return [[re.sub(r"<[^>]+>", "", cell).strip() for cell in re.split(r"</t[hd]>", row)][:3] for row in rows]


def test_each_request_of_a_batch_tells_what_came_of_it(client: Client, people: Cast) -> None:
    batch = batch_of(people.acme, total=4)
    item(batch, 0, ItemState.SUCCEEDED, ANSWERED)
    item(batch, 1, ItemState.ERRORED, OVERLOADED)
    item(batch, 2, ItemState.RUNNING, tries=2)
    item(batch, 3, ItemState.SUCCEEDED, {"type": "succeeded", "message": "x" * 70_000})

    page = as_(client, people.dev).get(f"/batches/{batch.id}").content.decode()

    assert table(page) == [
        ["item-0", "succeeded", "1,200 tokens in, 34 out, end_turn"],
        ["item-1", "errored", "overloaded_error: Too &lt;much&gt;"],
        ["item-2", "processing", "waits to be tried again"],
        ["item-3", "succeeded", "70,071 bytes"],
    ]


def test_requests_are_found_by_state_and_by_custom_id(client: Client, people: Cast) -> None:
    batch, dev = batch_of(people.acme, total=60), as_(client, people.dev)
    for number in range(60):
        item(batch, number, ItemState.ERRORED if number % 2 else ItemState.SUCCEEDED, OVERLOADED)

    def found(query: str) -> list[str]:
        return [row[0] for row in table(dev.get(f"/batches/{batch.id}{query}").content.decode())]

    assert found("?state=errored") == [f"item-{number}" for number in range(1, 51, 2)]
    assert found("?state=errored&after=49") == [f"item-{number}" for number in range(51, 60, 2)]
    assert found("?custom_id=item-7") == ["item-7"]
    assert found("?custom_id=item-7&state=succeeded") == []
    assert found("?state=nonsense&after=-1x&custom_id=%00") == [f"item-{number}" for number in range(25)]
    first = dev.get(f"/batches/{batch.id}?state=errored").content.decode()
    assert f'href="/batches/{batch.id}?state=errored&amp;custom_id=&amp;after=49#requests">Next' in first


def test_the_table_of_requests_is_one_query(client: Client, people: Cast) -> None:
    batch, dev = batch_of(people.acme, total=30), as_(client, people.dev)
    for number in range(30):
        item(batch, number, ItemState.ERRORED, OVERLOADED)

    with CaptureQueriesContext(connection) as queries:
        dev.get(f"/batches/{batch.id}")

    assert sum("message_batch_item" in query["sql"] for query in queries) == 1


def test_a_single_request_shows_what_was_asked_and_answered_as_text(client: Client, people: Cast) -> None:
    batch = batch_of(people.acme)
    item(batch, 4, ItemState.ERRORED, OVERLOADED)
    dev = as_(client, people.dev)

    page = dev.get(f"/batches/{batch.id}/items/4").content.decode()

    assert "&quot;max_tokens&quot;: 5" in page
    assert "Too &lt;much&gt;" in page and "Too <much>" not in page
    assert dev.get(f"/batches/{batch.id}/items/5").status_code == 404
    for other in (people.bill, people.uma, people.mallory):
        assert as_(Client(), other).get(f"/batches/{batch.id}/items/4").status_code == 404


def downloaded(client: Client, path: str) -> bytes:
    return b"".join(client.get(path).streaming_content)


def test_results_and_errors_come_as_files_of_lines(
    client: Client, people: Cast, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queries, "PAGE_BYTES", 200)
    monkeypatch.setattr(queries, "PAGE_ROWS", 3)
    batch = batch_of(people.acme, status="ended", ended_at=timezone.now())
    for number in range(10):
        state, result = (ItemState.ERRORED, OVERLOADED) if number % 3 else (ItemState.SUCCEEDED, ANSWERED)
        item(batch, number, state, result)
    as_(client, people.dev)

    answer = client.get(f"/batches/{batch.id}/results.jsonl")
    lines = downloaded(client, f"/batches/{batch.id}/results.jsonl").splitlines()
    errors = downloaded(client, f"/batches/{batch.id}/errors.jsonl").splitlines()

    assert answer["Content-Disposition"] == f'attachment; filename="{batch.id}-results.jsonl"'
    assert [json.loads(line)["custom_id"] for line in lines] == [f"item-{number}" for number in range(10)]
    assert lines == [
        bytes(one.result or b"") for one in BatchItem.objects.filter(batch=batch).order_by("number")
    ]
    assert [json.loads(line)["custom_id"] for line in errors] == [f"item-{n}" for n in (1, 2, 4, 5, 7, 8)]


def test_there_is_nothing_to_download_before_the_end_nor_for_others(client: Client, people: Cast) -> None:
    running = batch_of(people.acme)
    ended = batch_of(people.acme, status="ended", ended_at=timezone.now())
    gone = batch_of(people.acme, status="ended", ended_at=timezone.now(), archived_at=timezone.now())
    dev = as_(client, people.dev)

    for batch, name in ((running, "results"), (gone, "results"), (ended, "everything")):
        assert dev.get(f"/batches/{batch.id}/{name}.jsonl").status_code == 404
    for other in (people.bill, people.uma, people.mallory):
        assert as_(Client(), other).get(f"/batches/{ended.id}/results.jsonl").status_code == 404


def test_what_a_batch_cost_so_far_is_what_its_key_spent_on_batches_meanwhile(
    client: Client, people: Cast
) -> None:
    default = people.acme.workspaces.get()
    batch = batch_of(people.acme, api_key_id="apikey_b", age=30 * MINUTE)
    spent = {"workspace_id": default.id, "api_key_id": "apikey_b", "service_tier": "batch"}
    for minutes, changes, cost in (
        (5, {}, "1.25"),
        (6, {"model": "other"}, "0.5"),
        (40, {}, "9"),
        (5, {"service_tier": "standard"}, "9"),
        (5, {"api_key_id": "apikey_c"}, "9"),
    ):
        UsageMinute.objects.create(
            organization_id=people.acme.id,
            bucket=(timezone.now() - minutes * MINUTE).replace(second=0, microsecond=0),
            cost=Decimal(cost),
            requests=1,
            **spent | changes,
        )
    dev = as_(client, people.dev)

    alone = dev.get(f"/batches/{batch.id}").content.decode()
    batch_of(people.acme, api_key_id="apikey_b", age=50 * MINUTE, status="ended", ended_at=timezone.now())
    beside = dev.get(f"/batches/{batch.id}").content.decode()

    assert 'title="$1.75">$1.75<' in alone and "at the price of batches" in alone
    assert "with 1 other batch that this key ran at the same time" in beside
