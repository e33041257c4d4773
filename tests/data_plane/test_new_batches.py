"""`POST /v1/messages/batches` as clients send it: what is stored, what is answered, and what is refused."""

from __future__ import annotations

import asyncio
import datetime
import json
import time
from base64 import b64decode
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import anthropic
import pytest
from anthropic import Anthropic

from tests.data_plane import wire
from tests.data_plane.house import JSON, SCRIPTED, VERSION, Gateway, House, Tenant, body
from tests.data_plane.stored_batches import batch_row, batches_of, items_of, limit_queue, orphans
from tests.data_plane.wire import Answer, Wire

BATCHES = "/v1/messages/batches"
DAY = datetime.timedelta(hours=24)
LARGEST = 256 * 1024 * 1024

T = TypeVar("T")


@pytest.fixture
def tenant(house: House) -> Tenant:
    return house.tenant()


@pytest.fixture
def client(house: House, tenant: Tenant) -> Anthropic:
    return Anthropic(base_url=house.base_url, api_key=tenant.key, max_retries=0)


def requests(number: int = 2, **params: Any) -> list[Any]:
    return [{"custom_id": f"item-{n}", "params": body(SCRIPTED, **params)} for n in range(number)]


def post(house: House, tenant: Tenant, what: bytes | dict[str, Any], **how: Any) -> Answer:
    return house.post(what, path=BATCHES, key=tenant.key, **how)


def test_a_batch_is_stored_and_told_as_the_sdk_reads_it(
    client: Anthropic, house: House, tenant: Tenant
) -> None:
    started = datetime.datetime.now(datetime.UTC)

    batch = client.messages.batches.create(requests=requests(3))

    assert batch.id.startswith("msgbatch_")
    assert (batch.type, batch.processing_status) == ("message_batch", "in_progress")
    assert batch.request_counts.to_dict() == {
        "processing": 3,
        "succeeded": 0,
        "errored": 0,
        "canceled": 0,
        "expired": 0,
    }
    assert abs(batch.created_at - started) < datetime.timedelta(seconds=15)
    assert batch.expires_at - batch.created_at == DAY
    assert (batch.ended_at, batch.cancel_initiated_at, batch.archived_at, batch.results_url) == (None,) * 4
    assert [(row["number"], row["custom_id"], row["state"]) for row in items_of(house, batch.id)] == [
        (0, "item-0", 0),
        (1, "item-1", 0),
        (2, "item-2", 0),
    ]


def test_what_an_item_needs_to_run_is_kept(house: House, tenant: Tenant) -> None:
    params = b'{ "model":"claude-scripted" ,"x": 1e3, "text":"\\u00e4\xc3\xa4\\u0000"}'
    items = (
        b'{"requests":[{"custom_id":"a","params":%s},{"custom_id":"b","params":{"model":"two"}}]}' % params
    )
    headers = [
        ("anthropic-beta", "one-2026-01-01,two"),
        ("user-agent", "me/1"),
        ("anthropic-workspace-id", tenant.workspace),
    ]

    answer = house.post(items, path=f"{BATCHES}?beta=true", key=tenant.key, headers=headers)

    assert answer.status == 200, answer.body
    row = batch_row(house, answer.json["id"])
    assert [bytes(item["params"]) for item in items_of(house, row["id"])] == [params, b'{"model":"two"}']
    assert (str(row["organization_id"]), row["workspace_id"]) == (tenant.id, tenant.workspace)
    assert (row["api_key_id"], row["request_id"]) == (tenant.key_id, answer.header("request-id"))
    assert (row["version"], row["query"], row["user_agent"]) == ("2023-06-01", "beta=true", "me/1")
    assert sorted(row["relayed"]) == [
        ["anthropic-beta", "one-2026-01-01,two"],
        ["anthropic-version", "2023-06-01"],
    ]
    assert (row["status"], row["passage"], row["total"], row["model_names"]) == (
        "in_progress",
        "",
        2,
        ["claude-scripted", "two"],
    )


def test_a_batch_belongs_to_the_workspace_that_is_named(house: House, tenant: Tenant) -> None:
    own = house.office.wish("workspace", organization=tenant.name, name="Other")["id"]
    answer = post(house, tenant, {"requests": requests()}, headers=[("anthropic-workspace-id", own)])

    assert batch_row(house, answer.json["id"])["workspace_id"] == own


def test_the_newer_api_version_is_kept_for_the_items(client: Anthropic, house: House) -> None:
    batch = client.beta.messages.batches.create(requests=requests(), betas=["some-beta-2026-01-01"])

    row = batch_row(house, batch.id)
    assert row["version"] == "2026-10-21"
    assert ["anthropic-beta", "some-beta-2026-01-01"] in [
        [name, value.split(",")[0]] for name, value in row["relayed"]
    ]


def test_a_hint_is_sent_that_celery_understands(client: Anthropic, house: House) -> None:
    while house.valkey.lpop("celery"):
        pass

    client.messages.batches.create(requests=requests())

    message = json.loads(_soon(lambda: house.valkey.lpop("celery")))
    assert message["headers"]["task"] == "gateway.batches.tasks.run_batches"
    assert (message["content-type"], message["properties"]["delivery_info"]["routing_key"]) == (
        "application/json",
        "celery",
    )
    args, kwargs, _ = json.loads(b64decode(message["body"]))
    assert (args, kwargs) == ([], {})
    assert (
        20
        < (
            datetime.datetime.fromisoformat(message["headers"]["expires"])
            - datetime.datetime.now(datetime.UTC)
        ).total_seconds()
        <= 30
    )


def test_who_cancels_has_workers_told_whoever_carries_the_batch(client: Anthropic, house: House) -> None:
    batch = client.messages.batches.create(requests=requests())
    _soon(lambda: house.valkey.lpop("celery"))

    client.messages.batches.cancel(batch.id)

    told = [json.loads(_soon(lambda: house.valkey.lpop("celery")))["headers"]["task"] for _ in range(2)]
    assert sorted(told) == ["gateway.batches.tasks.run_batches", "gateway.batches.tasks.run_native_batches"]


# --- Refusals ---


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"requests": []}, "requests: List should have at least 1 item"),
        ({}, "requests: Field required"),
        ({"requests": [*requests(2), {"params": {}}]}, "requests.2.custom_id: Field required"),
        ({"requests": requests(2) * 2}, "requests.2.custom_id: must be unique, and is that of requests.0 too"),
        ({"requests": [{"custom_id": "a"}]}, "requests.0.params: Field required"),
        ({"requests": requests(2, stream=True)}, "requests.0.params.stream: a request of a batch cannot be streamed"),
        (b"", "The request body is not valid JSON: it is empty"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_told_with_its_position_and_nothing_is_stored(
    house: House, tenant: Tenant, wrong: bytes | dict[str, Any], said: str
) -> None:
    answer = post(house, tenant, wrong)

    assert (answer.status, answer.json["error"]) == (400, {"type": "invalid_request_error", "message": said})
    assert batches_of(house, tenant.id) == []
    assert orphans(house) == 0


def test_the_sdk_raises_its_own_error(client: Anthropic) -> None:
    with pytest.raises(anthropic.BadRequestError, match=r"requests\.1\.custom_id: must be unique"):
        client.messages.batches.create(requests=[*requests(1), *requests(1)])


def test_items_are_judged_when_they_are_run_and_not_before(client: Anthropic) -> None:
    wrong = {"custom_id": "a", "params": {"model": "no-such-model", "max_tokens": -1, "messages": "none"}}

    assert client.messages.batches.create(requests=[wrong]).request_counts.processing == 1  # type: ignore[typeddict-item, list-item]


@pytest.mark.parametrize("declared", [True, False], ids=["content-length", "chunked"])
def test_more_than_256_mb_is_refused_while_it_comes(house: House, tenant: Tenant, declared: bool) -> None:
    async def ask() -> tuple[Answer, int]:
        line = await Wire.connect(house.port)
        framing = ("content-length", str(LARGEST + 1)) if declared else ("transfer-encoding", "chunked")
        await line.send(_head(tenant, framing))
        sent, answer = 0, asyncio.create_task(line.read())
        await asyncio.sleep(0.2)
        part = b" " * (1 << 20)
        while not answer.done() and sent <= LARGEST:
            sent += len(part)
            await line.send(part if declared else _chunk(part))
            if declared:
                break
        return await asyncio.wait_for(answer, 30), sent

    answer, sent = asyncio.run(ask())

    assert (answer.status, answer.json["error"]["type"]) == (413, "request_too_large")
    assert answer.json["error"]["message"] == (
        "Request exceeds the maximum allowed number of bytes (268435456)."
    )
    assert sent == 0 if declared else LARGEST < sent < LARGEST + (64 << 20)


def test_what_stops_being_json_is_refused_at_once_and_leaves_nothing(house: House, tenant: Tenant) -> None:
    """Within what would be 200 MB: 20 come, and the client is told before it sends the rest."""
    item = json.dumps(requests(1, script="x" * 20_000)[0]).encode().replace(b"item-0", b"item-%d")

    async def ask() -> Answer:
        line = await Wire.connect(house.port)
        await line.send(_head(tenant, ("content-length", str(200 << 20))) + b'{"requests":[')
        for number in range(1000):
            await line.send(item % number + b",")
        await line.send(b"oops,")
        try:
            return await asyncio.wait_for(line.read(), 20)
        finally:
            line.leave()

    answer = asyncio.run(ask())

    assert (answer.status, answer.json["error"]["message"].split(":")[0]) == (400, "requests.1000")
    assert batches_of(house, tenant.id) == []
    assert orphans(house) == 0


@pytest.mark.parametrize("how", ["leave", "reset"])
def test_a_client_that_leaves_in_the_middle_stores_nothing(house: House, tenant: Tenant, how: str) -> None:
    whole = json.dumps({"requests": requests(2000, script="x" * 2_000)}).encode()

    async def leave() -> None:
        line = await Wire.connect(house.port)
        await line.send(_head(tenant, ("content-length", str(len(whole)))) + whole[:-1])
        await asyncio.sleep(0.3)
        assert _spools(house.gateway) != []
        line.leave() if how == "leave" else line.reset()

    asyncio.run(leave())
    time.sleep(0.3)

    assert batches_of(house, tenant.id) == []
    assert list(Path(house.environment["DATA_DIR"], "batches").iterdir()) == []
    _soon(lambda: not _spools(house.gateway))


def test_who_may_not_call_models_may_not_send_batches(house: House, tenant: Tenant) -> None:
    wrong = {"requests": requests()}

    unknown = house.post(wrong, path=BATCHES, key=tenant.key[:-4] + "AAAA", source=house.stranger())
    foreign = post(house, tenant, wrong, headers=[("anthropic-workspace-id", house.tenant().workspace)])
    version = post(house, tenant, wrong, usual=[("anthropic-version", "2020-01-01"), JSON])

    assert (unknown.status, unknown.json["error"]["type"]) == (401, "authentication_error")
    assert (foreign.status, foreign.json["error"]["type"]) == (403, "permission_error")
    assert (version.status, version.json["error"]["message"].split(":")[0]) == (400, "anthropic-version")
    assert batches_of(house, tenant.id) == []


def test_other_methods_are_refused(house: House, tenant: Tenant) -> None:
    answer = house.get(BATCHES, method="PUT", key=tenant.key)

    assert (answer.status, answer.header("allow")) == (405, "GET, HEAD, POST")


def test_the_queue_of_an_organization_is_bounded(client: Anthropic, house: House, tenant: Tenant) -> None:
    limit_queue(house, tenant, 5)
    client.messages.batches.create(requests=requests(3))

    with pytest.raises(anthropic.RateLimitError) as full:
        client.messages.batches.create(requests=requests(3))
    with pytest.raises(anthropic.RateLimitError) as never:
        client.messages.batches.create(requests=requests(6))
    client.messages.batches.create(requests=requests(2))

    told = "your organization's rate limit of 5 batch requests in the queue (enqueued_batch_requests)"
    assert full.value.body["error"]["message"] == (  # type: ignore[index, call-overload]
        f"This batch would exceed {told}. Please try again later."
    )
    assert full.value.response.headers["retry-after"] == "60"
    assert never.value.body["error"]["message"] == (  # type: ignore[index, call-overload]
        f"This batch alone has 6 requests, more than {told} ever allows."
    )
    assert never.value.response.headers["x-should-retry"] == "false"
    assert [row["total"] for row in batches_of(house, tenant.id)] == [3, 2]
    assert orphans(house) == 0


def test_many_at_once_do_not_outgrow_the_queue(house: House, tenant: Tenant) -> None:
    limit_queue(house, tenant, 10)
    raw = house.message({"requests": requests(3)}, path=BATCHES, key=tenant.key)

    answers = house.ask_all([raw] * 12, at_once=12)

    assert sorted(answer.status for answer in answers) == [200] * 3 + [429] * 9
    assert sum(row["total"] for row in batches_of(house, tenant.id)) == 9


@pytest.mark.parametrize(
    ("table", "whose"), [("gateway_workspace", "your workspace's"), ("gateway_apikey", "your API key's")]
)
def test_so_is_that_of_a_workspace_and_of_a_key(
    client: Anthropic, house: House, tenant: Tenant, table: str, whose: str
) -> None:
    house.database.execute(
        f"UPDATE {table} SET group_limits = %s WHERE organization_id = %s",  # type: ignore[arg-type]
        [json.dumps({"batch": {"enqueued_batch_requests": 2}}), tenant.id],
    )
    client.messages.batches.create(requests=requests(2))
    other = house.office.wish("workspace", organization=tenant.name, name="Other")["id"]
    fresh = house.office.wish("api_key", organization=tenant.name, workspace=other)["secret"]

    with pytest.raises(
        anthropic.RateLimitError, match=f"would exceed {whose} rate limit of 2 batch requests"
    ):
        client.messages.batches.create(requests=requests(1))

    assert house.post({"requests": requests(3)}, path=BATCHES, key=fresh).status == 200


def test_what_is_done_leaves_the_queue(client: Anthropic, house: House, tenant: Tenant) -> None:
    limit_queue(house, tenant, 5)
    first = client.messages.batches.create(requests=requests(4))
    house.database.execute("UPDATE message_batch SET succeeded = 3 WHERE id = %s", [first.id])

    client.messages.batches.create(requests=requests(4))
    with pytest.raises(anthropic.RateLimitError):
        client.messages.batches.create(requests=requests(1))


def test_a_tier_may_lift_the_bound(client: Anthropic, house: House, tenant: Tenant) -> None:
    limit_queue(house, tenant, None)
    client.messages.batches.create(requests=requests(1))
    house.database.execute("UPDATE message_batch SET total = 1000000 WHERE organization_id = %s", [tenant.id])

    assert client.messages.batches.create(requests=requests(1)).processing_status == "in_progress"


def test_whoever_was_turned_out_while_the_body_came_stores_nothing(house: House, tenant: Tenant) -> None:
    whole = json.dumps({"requests": requests()}).encode()

    async def ask() -> Answer:
        line = await Wire.connect(house.port)
        await line.send(_head(tenant, ("content-length", str(len(whole)))) + whole[:-5])
        await asyncio.sleep(0.2)
        await asyncio.to_thread(house.office.wish, "key_status", id=tenant.key_id, status="inactive")
        await line.send(whole[-5:])
        return await asyncio.wait_for(line.read(), 10)

    answer = asyncio.run(ask())

    assert (answer.status, answer.json["error"]["type"]) == (401, "authentication_error")
    assert batches_of(house, tenant.id) == []


def _head(tenant: Tenant, framing: tuple[str, str]) -> bytes:
    headers = [VERSION, JSON, ("x-api-key", tenant.key), framing]
    return wire.request("POST", BATCHES, headers, length=False)


def _chunk(part: bytes) -> bytes:
    return b"%x\r\n" % len(part) + part + b"\r\n"


def _spools(gateway: Gateway) -> list[str]:
    """Unlinked files that the process holds open in the folder for batches."""
    links = Path(f"/proc/{gateway.pid}/fd").iterdir()
    return [target for link in links if "/batches/" in (target := _target(link))]


def _target(link: Path) -> str:
    try:
        return str(link.readlink())
    except OSError:
        return ""


def _soon(found: Callable[[], T | None], within: float = 3) -> T:
    """What this finds, as soon as it does."""
    deadline = time.monotonic() + within
    while not (result := found()):
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
    return result
