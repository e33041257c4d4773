"""Batches as large as they may be: accepted in seconds, never in memory whole, and nobody else waits for them."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from anthropic import Anthropic, APIStatusError

from tests.data_plane import wire
from tests.data_plane.house import JSON, SCRIPTED, VERSION, Gateway, House, Tenant, body
from tests.data_plane.stored_batches import limit_queue
from tests.data_plane.test_new_batches import BATCHES, requests
from tests.data_plane.wire import Answer, Wire

LARGEST = 256 * 1024 * 1024


@pytest.fixture
def tenant(house: House) -> Iterator[Tenant]:
    """Whose items are removed again: half a gigabyte of them is a lot for a test's disk."""
    made = house.tenant()
    limit_queue(house, made, None)
    yield made
    house.database.execute(
        "DELETE FROM message_batch_item WHERE batch_id IN "
        "(SELECT id FROM message_batch WHERE organization_id = %s)",
        [made.id],
    )
    house.database.execute("VACUUM message_batch_item")


@pytest.mark.parametrize(("number", "seconds"), [(10_000, 3), (100_000, 30)])
def test_many_items_are_accepted_in_seconds(
    house: House, tenant: Tenant, number: int, seconds: float
) -> None:
    with Anthropic(base_url=house.base_url, api_key=tenant.key, max_retries=0) as client:
        many = requests(number)
        started = time.monotonic()
        batch = client.messages.batches.create(requests=many)
        took = time.monotonic() - started

    print(f"{number:,} items accepted in {took:.2f} s")
    assert batch.request_counts.processing == number
    counted = house.database.execute(
        "SELECT count(*) AS items, count(DISTINCT custom_id) AS names, max(number) AS last "
        "FROM message_batch_item WHERE batch_id = %s",
        [batch.id],
    )
    assert counted.fetchall() == [{"items": number, "names": number, "last": number - 1}]
    assert took < seconds


def test_a_client_that_sends_too_much_reads_why(house: House, tenant: Tenant) -> None:
    """With the SDK's own transport, which goes on sending for a while."""
    with Anthropic(base_url=house.base_url, api_key=tenant.key, max_retries=0) as client:
        too_much = {"custom_id": "a", "params": body(SCRIPTED, script="x" * LARGEST)}
        with pytest.raises(APIStatusError, match=r"maximum allowed number of bytes \(268435456\)") as refused:
            client.messages.batches.create(requests=[too_much])  # type: ignore[list-item]

    assert refused.value.status_code == 413


@dataclass
class Fresh:
    """A gateway that has taken one small batch, and the bytes that it had then."""

    gateway: Gateway
    size: int


@pytest.fixture(scope="module")
def fresh(house: House, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fresh]:
    """For all that watch its memory: what one of them leaves behind would count against the next."""
    folder = tmp_path_factory.mktemp("fresh")
    gateway = Gateway(house.environment, folder / "gateway.log")
    try:
        gateway.wait_until_ready()
        asyncio.run(uploads(gateway, house.tenant(), body_file(folder, 1 << 20, 20), 1))
        yield Fresh(gateway, psutil.Process(gateway.pid).memory_info().rss)
    finally:
        gateway.close()


@dataclass
class Watched:
    """What was seen of a process: its largest size in bytes, and how long others waited for `/livez`, in seconds."""

    peak: int = 0
    waits: list[float] = field(default_factory=list)


async def watch(gateway: Gateway, seen: Watched) -> None:
    process, line = psutil.Process(gateway.pid), await Wire.connect(gateway.port)
    ask = wire.request("GET", "/healthz", [])
    while True:
        started = time.monotonic()
        await line.ask(ask)
        seen.waits.append(time.monotonic() - started)
        seen.peak = max(seen.peak, process.memory_info().rss)
        await asyncio.sleep(0.01)


def body_file(folder: Path, size: int, number: int) -> Path:
    """A batch of `number` items that has `size` bytes."""
    params = json.dumps(body(SCRIPTED, script="%TEXT")).encode().replace(b"%TEXT", b"%s")
    item = b'{"custom_id":"item-%06d","params":' + params + b"},"
    fixed = len(b'{"requests":[]}') - 1 + number * len(item % (0, b""))
    each, more = divmod(size - fixed, number)
    with (folder / "body").open("wb") as file:
        file.write(b'{"requests":[')
        for n in range(number):
            raw = item % (n, b"y" * (each if n else each + more))
            file.write(raw if n < number - 1 else raw[:-1] + b"]}")
    return folder / "body"


def upload(gateway: Gateway, tenant: Tenant, path: Path) -> Answer:
    """By the kernel: this process, which also watches, has nothing to do meanwhile."""
    headers = [
        *(VERSION, JSON, ("x-api-key", tenant.key), ("connection", "close")),
        ("content-length", str(path.stat().st_size)),
    ]
    with socket.create_connection(("127.0.0.1", gateway.port)) as line, path.open("rb") as file:
        line.sendall(wire.request("POST", BATCHES, headers, length=False))
        line.sendfile(file)
        answer = b"".join(iter(lambda: line.recv(65_536), b""))
    head, _, payload = answer.partition(b"\r\n\r\n")
    return Answer(status=int(head.split()[1]), body=payload)


async def uploads(gateway: Gateway, tenant: Tenant, path: Path, at_once: int) -> tuple[list[Answer], Watched]:
    seen = Watched()
    watching = asyncio.create_task(watch(gateway, seen))
    answers = await asyncio.gather(
        *(asyncio.to_thread(upload, gateway, tenant, path) for _ in range(at_once))
    )
    watching.cancel()
    return list(answers), seen


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "at_once", "size", "growth"),
    [
        pytest.param(10_000, 1, 96 << 20, 50 << 20, id="many"),
        pytest.param(4, 1, 64 << 20, 50 << 20, id="large"),
        pytest.param(1_000, 8, 12 << 20, 80 << 20, id="eight"),
    ],
)
def test_a_body_never_stands_in_memory_and_nobody_waits_for_it(
    fresh: Fresh,
    tenant: Tenant,
    tmp_path: Path,
    number: int,
    at_once: int,
    size: int,
    growth: int,
) -> None:
    path = body_file(tmp_path, size, number)
    started = time.monotonic()

    answers, seen = asyncio.run(uploads(fresh.gateway, tenant, path, at_once))

    waits = sorted(seen.waits)
    print(
        f"{number} items, {at_once} x {size >> 20} MB: {time.monotonic() - started:.1f} s, "
        f"+{(seen.peak - fresh.size) >> 20} MB, others waited {waits[len(waits) // 2] * 1000:.1f} ms, "
        f"p99 {waits[len(waits) * 99 // 100] * 1000:.1f}, most {waits[-1] * 1000:.1f}"
    )
    assert [(answer.status, answer.json["request_counts"]["processing"]) for answer in answers] == [
        (200, number)
    ] * at_once
    assert seen.peak - fresh.size < growth
    assert waits[len(waits) // 2] < 0.05
