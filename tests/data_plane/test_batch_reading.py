"""Reading, cancelling and deleting message batches, as the official SDK does and byte by byte."""

from __future__ import annotations

import datetime
import json
import random

import anthropic
import pytest
from anthropic import Anthropic

from tests.data_plane.batch_rows import BatchRows
from tests.data_plane.house import VERSION, House, Tenant

PATH = "/v1/messages/batches"
# Whoever splits lines by anything but a line feed would split here.
MESSAGE = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "stop_reason": "end_turn",
} | {
    "content": [{"type": "text", "text": "one\u2028two\u2029three\x85four\nfive"}],
    "stop_sequence": None,
    "usage": {"input_tokens": 3, "output_tokens": 2, "service_tier": "batch"},
}
RAW = json.dumps(MESSAGE, ensure_ascii=False, indent=1).encode()


@pytest.fixture
def rows(house: House) -> BatchRows:
    return BatchRows(house.database)


@pytest.fixture
def tenant(house: House) -> Tenant:
    return house.tenant()


@pytest.fixture
def client(house: House, tenant: Tenant) -> Anthropic:
    return Anthropic(base_url=house.base_url, api_key=tenant.key, max_retries=0)


def messages(count: int, seed: int = 1) -> list[bytes]:
    chance = random.Random(seed)
    return [json.dumps({"n": n, "text": "x" * chance.randrange(1, 3_000)}).encode() for n in range(count)]


def results_of(house: House, tenant: Tenant, batch_id: str, *headers: tuple[str, str], method: str = "GET"):  # type: ignore[no-untyped-def]
    return house.get(f"{PATH}/{batch_id}/results", method=method, headers=(VERSION, *headers), key=tenant.key)


def test_a_batch_that_runs_tells_nothing_of_its_progress(
    rows: BatchRows, tenant: Tenant, client: Anthropic
) -> None:
    batch = client.messages.batches.retrieve(rows.add(tenant, 5, succeeded=2, errored=1))

    assert (batch.processing_status, batch.results_url, batch.ended_at) == ("in_progress", None, None)
    assert batch.request_counts.to_dict() == {
        "processing": 5,
        "succeeded": 0,
        "errored": 0,
        "canceled": 0,
        "expired": 0,
    }


def test_pages_go_through_all_batches_of_the_workspace_newest_first(
    house: House, rows: BatchRows, tenant: Tenant, client: Anthropic
) -> None:
    hour = datetime.timedelta(hours=1)
    made = [rows.add(tenant, age=n * hour) for n in range(5)]
    rows.add(house.tenant())

    assert [batch.id for batch in client.messages.batches.list(limit=2)] == made
    page = client.messages.batches.list(limit=2, after_id=made[1])
    assert ([batch.id for batch in page.data], page.has_more) == (made[2:4], True)
    page = client.messages.batches.list(limit=2, before_id=made[3])
    assert ([batch.id for batch in page.data], page.has_more) == (made[1:3], True)
    assert (page.first_id, page.last_id) == (made[1], made[2])


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "after_id=msgbatch_none", "before_id=msgbatch_none"]
)
def test_a_wrong_page_is_refused_by_name(client: Anthropic, query: str) -> None:
    with pytest.raises(anthropic.BadRequestError, match=query.partition("=")[0] + ": "):
        client.get(f"{PATH}?{query}", cast_to=object)


def test_both_cursors_at_once_are_refused(rows: BatchRows, tenant: Tenant, client: Anthropic) -> None:
    one = rows.add(tenant)
    with pytest.raises(anthropic.BadRequestError, match="after_id: cannot be combined"):
        client.messages.batches.list(after_id=one, before_id=one)


def test_another_workspaces_batch_is_no_other_than_none(
    house: House, rows: BatchRows, client: Anthropic
) -> None:
    theirs = rows.ended(house.tenant(), [RAW])

    for batch_id in (theirs, "msgbatch_01none", "x"):
        for call in (
            client.messages.batches.retrieve,
            client.messages.batches.cancel,
            client.messages.batches.delete,
            lambda id: client.get(f"{PATH}/{id}/results", cast_to=object),
        ):
            with pytest.raises(anthropic.NotFoundError, match=f"Message batch {batch_id} not found"):
                call(batch_id)
    assert rows.number_of_items(theirs) == 1


def test_results_are_read_by_the_sdk_whatever_is_in_them(
    house: House, rows: BatchRows, tenant: Tenant, client: Anthropic
) -> None:
    batch_id = rows.ended(tenant, [RAW] * 3)

    batch = client.messages.batches.retrieve(batch_id)
    found = list(client.messages.batches.results(batch_id))

    assert batch.results_url == f"{house.base_url}/v1/messages/batches/{batch_id}/results"
    assert batch.request_counts.succeeded == 3
    assert sorted(one.custom_id for one in found) == ["item-0", "item-1", "item-2"]
    for one in found:
        assert one.result.type == "succeeded"
        assert one.result.message.content[0].text == MESSAGE["content"][0]["text"]  # type: ignore[index,union-attr]


def test_every_line_is_whole_for_whoever_splits_at_any_end_of_line(
    house: House, rows: BatchRows, tenant: Tenant
) -> None:
    answer = results_of(house, tenant, rows.ended(tenant, [RAW] * 20))

    assert (answer.status, answer.header("content-type")) == (200, "application/x-jsonl")
    assert int(answer.header("content-length") or 0) == len(answer.body)
    lines = answer.body.decode().splitlines()
    assert [json.loads(line)["result"]["message"] for line in lines] == [MESSAGE] * 20


def test_results_are_there_when_the_batch_has_ended_and_until_they_are_removed(
    rows: BatchRows, tenant: Tenant, client: Anthropic
) -> None:
    running = rows.add(tenant)
    removed = rows.ended(tenant, [], archived_at=datetime.datetime.now(datetime.UTC))

    with pytest.raises(anthropic.BadRequestError, match="available once the batch has ended"):
        client.get(f"{PATH}/{running}/results", cast_to=object)
    with pytest.raises(anthropic.NotFoundError, match="kept for 29 days"):
        client.get(f"{PATH}/{removed}/results", cast_to=object)
    assert client.messages.batches.retrieve(removed).archived_at is not None


def test_a_broken_download_goes_on_from_any_byte(house: House, rows: BatchRows, tenant: Tenant) -> None:
    batch_id = rows.ended(tenant, messages(700))
    whole = results_of(house, tenant, batch_id)
    chance = random.Random(7)

    assert len(whole.body) > 3 * 256 * 1024  # several pages of rows
    etag = whole.header("etag") or ""
    for cut in [0, 1, *[chance.randrange(len(whole.body)) for _ in range(12)], len(whole.body) - 1]:
        rest = results_of(house, tenant, batch_id, ("range", f"bytes={cut}-"), ("if-range", etag))
        assert (rest.status, rest.body) == (206, whole.body[cut:])
        assert rest.header("content-range") == f"bytes {cut}-{len(whole.body) - 1}/{len(whole.body)}"
    for _ in range(12):
        first = chance.randrange(len(whole.body))
        last = first + chance.randrange(400_000)
        part = results_of(house, tenant, batch_id, ("range", f"bytes={first}-{last}"))
        assert (part.status, part.body) == (206, whole.body[first : last + 1])
    assert results_of(house, tenant, batch_id, ("range", "bytes=-10")).body == whole.body[-10:]


def test_a_range_that_makes_no_sense_gets_everything_and_one_behind_the_end_nothing(
    house: House, rows: BatchRows, tenant: Tenant
) -> None:
    batch_id = rows.ended(tenant, [RAW])
    whole = results_of(house, tenant, batch_id)

    for asked in ("bytes=5-2", "bytes=-", "lines=0-1", "bytes=0-1,5-6", "bytes=x-"):
        assert results_of(house, tenant, batch_id, ("range", asked)).body == whole.body
    changed = results_of(house, tenant, batch_id, ("range", "bytes=5-"), ("if-range", '"another"'))
    assert (changed.status, changed.body) == (200, whole.body)
    behind = results_of(house, tenant, batch_id, ("range", f"bytes={len(whole.body)}-"))
    assert (behind.status, behind.header("content-range")) == (416, f"bytes */{len(whole.body)}")
    head = results_of(house, tenant, batch_id, method="HEAD")
    assert (head.status, head.body, head.header("content-length")) == (200, b"", str(len(whole.body)))


def test_cancelling_again_changes_nothing_and_what_has_ended_cannot_be_cancelled(
    rows: BatchRows, tenant: Tenant, client: Anthropic
) -> None:
    batch_id, over = rows.add(tenant), rows.ended(tenant, [RAW])

    first, second = (client.messages.batches.cancel(batch_id) for _ in range(2))

    assert first.processing_status == "canceling"
    assert first.cancel_initiated_at is not None
    assert second.to_dict() == first.to_dict()
    with pytest.raises(anthropic.BadRequestError, match="has ended cannot be canceled"):
        client.messages.batches.cancel(over)


def test_what_has_ended_is_deleted_with_its_items_and_nothing_else_is(
    rows: BatchRows, tenant: Tenant, client: Anthropic
) -> None:
    running, over = rows.add(tenant), rows.ended(tenant, [RAW] * 3)

    with pytest.raises(anthropic.BadRequestError, match="cancel it first"):
        client.messages.batches.delete(running)
    deleted = client.messages.batches.delete(over)

    assert deleted.to_dict() == {"id": over, "type": "message_batch_deleted"}
    assert (rows.batch(over), rows.number_of_items(over)) == (None, 0)
    with pytest.raises(anthropic.NotFoundError):
        client.messages.batches.delete(over)
    assert rows.batch(running) is not None


@pytest.mark.parametrize(
    ("method", "path"), [("PUT", "/x"), ("POST", "/x"), ("GET", "/x/cancel"), ("POST", "/x/results")]
)
def test_other_methods_are_told_which_there_are(house: House, method: str, path: str) -> None:
    answer = house.get(PATH + path, method=method)
    assert answer.status == 405
    assert answer.header("allow")
