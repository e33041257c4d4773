"""A web process that is told to stop: unready at once, streams go on, what is left ends with one error."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass

import psutil

from tests import upstream as provider
from tests.data_plane.house import Gateway, Tenant, body
from tests.data_plane.wire import Answer, Wire, ask, request
from tests.outages.site import Site, until
from tests.upstream import LAST_CHUNK, Hang, Pause, Send, chunk, stream_head

DRAIN_SECONDS = 2.0
FRAMES = provider.frames()
BEGUN = [Send(stream_head()), *map(Send, map(chunk, FRAMES[:5]))]
ENDED = [*map(Send, map(chunk, FRAMES[5:])), Send(LAST_CHUNK)]
FOREVER = [part for _ in range(300) for part in (Pause(0.05), Send(chunk(FRAMES[3])))]
READY = request("GET", "/readyz", [])


@dataclass
class Stop:
    """What was seen when a process with this open work got SIGTERM."""

    ready_before: Answer
    ready_after: Answer
    finishing: list[Answer]
    endless: list[Answer]
    json: list[Answer]
    begun_after: Answer
    seconds: float
    exit_status: int


def test_a_stop_ends_everything_properly_and_settles_it(site: Site) -> None:
    tenant = site.house.tenant()
    with _running(site, "stop", GATEWAY_DRAIN_SECONDS=str(DRAIN_SECONDS)) as gateway:
        stop = asyncio.run(_stop(site, gateway, tenant))

    print(f"\nstopped after {stop.seconds:.2f} s with a drain of {DRAIN_SECONDS:g} s")
    assert stop.ready_before.status == 200
    assert (stop.ready_after.status, stop.ready_after.json["checks"]["draining"]) == (503, "yes")
    for answer in (*stop.finishing, stop.begun_after):
        assert answer.complete and answer.body.endswith(FRAMES[-1]) and b"event: error" not in answer.body
    for answer in stop.endless:
        assert answer.complete and answer.body.count(b"event: error") == 1
        assert b"overloaded_error" in answer.body.rpartition(b"event: error")[2]
    for answer in stop.json:
        assert (answer.status, answer.json["error"]["type"]) == (529, "overloaded_error")
        assert answer.json["request_id"] == answer.header("request-id")
    assert DRAIN_SECONDS - 0.1 < stop.seconds < DRAIN_SECONDS + 3
    assert stop.exit_status in (0, -signal.SIGTERM)  # uvicorn ends by the signal once it is done
    answers = [*stop.finishing, stop.begun_after, *stop.endless, *stop.json]
    _assert_settled(site, tenant, answers)
    rows = {row.request_id: row for row in site.rows(tenant.key_id)}
    assert {rows[str(one.header("request-id"))].source for one in stop.finishing} == {"reported"}
    assert {rows[str(one.header("request-id"))].source for one in stop.endless} == {"estimated"}


def test_idle_connections_do_not_delay_the_exit(site: Site) -> None:
    with _running(site, "idle", GATEWAY_DRAIN_SECONDS="30") as gateway:
        seconds = asyncio.run(_stop_with_idle_connections(site, gateway))

    print(f"\nstopped after {seconds:.2f} s with 50 idle connections and a drain of 30 s")
    assert seconds < 2


def test_a_client_that_stops_reading_does_not_hold_the_exit(site: Site) -> None:
    with _running(site, "stuck", GATEWAY_DRAIN_SECONDS="1") as gateway:
        seconds = asyncio.run(_stop_with_a_stuck_reader(site, gateway))

    print(f"\nstopped after {seconds:.2f} s with a stuck reader and a drain of 1 s")
    assert seconds < 1 + 3


def test_what_is_settled_at_the_end_while_valkey_is_away_comes_with_the_next_start(site: Site) -> None:
    tenant = site.house.tenant()
    with _running(site, "last", GATEWAY_DRAIN_SECONDS="0.3") as gateway:
        site.valkey.freeze()
        try:
            stop = asyncio.run(_stop(site, gateway, tenant, finishing=0, json=1))
        finally:
            site.valkey.thaw()
    with _running(site, "last"):
        _assert_settled(site, tenant, [*stop.endless, *stop.json])


@contextlib.contextmanager
def _running(site: Site, name: str, **environment: str) -> Iterator[Gateway]:
    gateway = site.gateway(name, **environment)
    try:
        gateway.wait_until_ready()
        yield gateway
    finally:
        gateway.close()


async def _stop(site: Site, gateway: Gateway, tenant: Tenant, finishing: int = 3, json: int = 2) -> Stop:
    upstream = site.house.upstream
    scripts = {
        "finishing": upstream.script(BEGUN, Pause(1.2), ENDED),
        "endless": upstream.script(BEGUN, FOREVER),
        "json": upstream.script(Hang()),
    }

    def asked(name: str) -> asyncio.Task[Answer]:
        raw = site.house.message(body(script=scripts[name], stream=name != "json"), key=tenant.key)
        return asyncio.create_task(ask(gateway.port, raw))

    ready_before = await ask(gateway.port, READY)
    ended = [asked("finishing") for _ in range(finishing)]
    endless, json_asked = [asked("endless") for _ in range(3)], [asked("json") for _ in range(json)]
    await asyncio.to_thread(upstream.received, scripts["endless"], 3)
    await asyncio.to_thread(upstream.received, scripts["json"], json)
    await asyncio.sleep(0.3)
    process, told = psutil.Process(gateway.pid), time.monotonic()
    process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.1)
    ready_after = await ask(gateway.port, READY)
    begun_after = await asked("finishing") if finishing else Answer()
    answers = await asyncio.gather(*ended), await asyncio.gather(*endless), await asyncio.gather(*json_asked)
    status = await asyncio.to_thread(gateway.wait, 20)
    return Stop(ready_before, ready_after, *answers, begun_after, time.monotonic() - told, status)


async def _stop_with_idle_connections(site: Site, gateway: Gateway) -> float:
    idle = [await Wire.connect(gateway.port) for _ in range(50)]
    for wire in idle[:25]:
        assert (await wire.ask(READY)).status == 200
    told = time.monotonic()
    psutil.Process(gateway.pid).send_signal(signal.SIGTERM)
    await asyncio.to_thread(gateway.wait, 40)
    return time.monotonic() - told


async def _stop_with_a_stuck_reader(site: Site, gateway: Gateway) -> float:
    flood = [Send(chunk(FRAMES[3] * 1000)) for _ in range(200)]
    script = site.house.upstream.script(BEGUN, flood, Hang())
    stuck = await Wire.connect(gateway.port)
    await stuck.send(site.house.message(body(script=script, stream=True)))
    await asyncio.sleep(1)
    told = time.monotonic()
    psutil.Process(gateway.pid).send_signal(signal.SIGTERM)
    await asyncio.to_thread(gateway.wait, 40)
    stuck.reset()
    return time.monotonic() - told


def _assert_settled(site: Site, tenant: Tenant, answers: list[Answer]) -> None:
    wanted = sorted(str(answer.header("request-id")) for answer in answers)
    with contextlib.suppress(AssertionError):
        until(lambda: len(site.rows(tenant.key_id)) >= len(wanted), 10)
    time.sleep(0.3)
    assert sorted(row.request_id for row in site.rows(tenant.key_id)) == wanted
