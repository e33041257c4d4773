"""The pages of message batches: the list, one of them, and cancelling."""

from __future__ import annotations

import re

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from dashboard.batch_progress import shown
from gateway.models import ApiKey, AuditEntry, MessageBatch
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
