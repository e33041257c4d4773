"""Clients that stop reading: bounded memory, cut off in time, settled, and the provider let go."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator

import psutil
import pytest

from tests import upstream as provider
from tests.data_plane.house import DRAINED, SCRIPTED, Gateway, Tenant, body
from tests.outages.site import Row, Site, until
from tests.upstream import LAST_CHUNK, Received, Send, chunk, stream_head

STALL_SECONDS = 1.0  # of tests.outages.impatient_server
CLIENTS = 100
MEGABYTE = 1 << 20
FRAMES = provider.frames()
BEGUN = [Send(stream_head()), *map(Send, map(chunk, FRAMES[:4]))]
ENDED = [*map(Send, map(chunk, FRAMES[4:])), Send(LAST_CHUNK)]


def flood(megabytes: int) -> list[Send]:
    """So much of a stream's middle; far more than the system keeps for a connection."""
    part = provider.frame(provider.events(["word " * 13_000])[3])
    return [Send(chunk(part))] * (16 * megabytes)


@pytest.fixture(scope="module")
def gateway(site: Site) -> Iterator[Gateway]:
    gateway = site.gateway("impatient", module="tests.outages.impatient_server")
    try:
        gateway.wait_until_ready()
        yield gateway
    finally:
        gateway.close()


def test_clients_that_stop_reading_cost_little_and_are_cut_off(site: Site, gateway: Gateway) -> None:
    tenant, process = site.house.tenant(), psutil.Process(gateway.pid)
    script = site.house.upstream.script(BEGUN, flood(16), ENDED)
    with _stuck(site, gateway, tenant, script, 1):
        _wait_for_cut(site, script, 1)
    time.sleep(0.5)
    descriptors, before = process.num_fds(), process.memory_info().rss

    began, most = time.monotonic(), before
    with _stuck(site, gateway, tenant, script, CLIENTS) as clients:
        while time.monotonic() - began < 20 and not _all_closed(site, script, CLIENTS + 1):
            most = max(most, process.memory_info().rss)
            time.sleep(0.01)
        calls = _wait_for_cut(site, script, CLIENTS + 1)[1:]
        until(lambda: process.num_fds() <= descriptors, 5, "connections stay open")
        assert not any(_rest(client).endswith(LAST_CHUNK) for client in clients)
    held = sorted(_seconds_held(call) for call in calls)
    each = (most - before) / CLIENTS

    print(f"\n{CLIENTS} stuck readers: {each / 1024:.0f} KB each, held {held[0]:.1f} to {held[-1]:.1f} s")
    assert each < MEGABYTE
    assert held[0] >= STALL_SECONDS and held[-1] < STALL_SECONDS + 8
    assert {call.finished_at is None for call in calls} == {True}, "the whole flood went through"
    rows = _rows(site, tenant, CLIENTS + 1)
    assert {(row.status, row.source) for row in rows} == {(499, "estimated")}


def test_a_provider_to_be_heard_out_is_heard_out(site: Site, gateway: Gateway) -> None:
    tenant = site.house.tenant()
    script = site.house.upstream.script(BEGUN, flood(16), ENDED)

    with _stuck(site, gateway, tenant, script, 1, model=DRAINED):
        (row,) = _rows(site, tenant, 1)

    assert (row.source, row.tokens[-1]) == ("reported", 12)


def test_a_slow_reader_that_goes_on_reading_has_everything(site: Site, gateway: Gateway) -> None:
    tenant = site.house.tenant()
    script = site.house.upstream.script(BEGUN, flood(4), ENDED)

    began, came = time.monotonic(), b""
    with _stuck(site, gateway, tenant, script, 1) as (client,):
        while not came.endswith(LAST_CHUNK) and (part := client.recv(MEGABYTE)):
            came = came[-500:] + part[-500:]
            time.sleep(STALL_SECONDS / 20)

    assert time.monotonic() - began > 1.5 * STALL_SECONDS, "read too fast to tell anything"
    assert b"message_stop" in came
    (row,) = _rows(site, tenant, 1)
    assert (row.status, row.source) == (200, "reported")


def test_a_whole_answer_that_nobody_takes_holds_no_connection(site: Site, gateway: Gateway) -> None:
    tenant, process = site.house.tenant(), psutil.Process(gateway.pid)
    script = site.house.upstream.script(provider.reply(200, provider.message("word " * (2 * MEGABYTE))))

    def clients() -> int:
        ours = [one for one in process.net_connections("tcp") if one.laddr.port == gateway.port]
        return len([one for one in ours if one.status == psutil.CONN_ESTABLISHED])

    with _stuck(site, gateway, tenant, script, 1, stream=False) as (client,):
        until(lambda: clients() == 1, 3)
        until(lambda: clients() == 0, STALL_SECONDS + 4, "the connection stays open")
        assert not _rest(client).endswith(b"}")
    (row,) = _rows(site, tenant, 1)
    assert (row.status, row.source) == (200, "reported")


@contextlib.contextmanager
def _stuck(
    site: Site,
    gateway: Gateway,
    tenant: Tenant,
    script: str,
    count: int,
    *,
    model: str = SCRIPTED,
    stream: bool = True,
) -> Iterator[list[socket.socket]]:
    """So many clients that ask, and read nothing by themselves."""
    raw = site.house.message(body(model, script, stream=stream), key=tenant.key)
    with contextlib.ExitStack() as stack:
        clients = []
        for _ in range(count):
            client = stack.enter_context(socket.socket())
            client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            client.settimeout(10)
            client.connect(("127.0.0.1", gateway.port))
            client.sendall(raw)
            clients.append(client)
        yield clients


def _wait_for_cut(site: Site, script: str, count: int) -> list[Received]:
    calls = site.house.upstream.received(script, count)
    until(lambda: _all_closed(site, script, count), STALL_SECONDS + 8, "the provider is held")
    return calls


def _all_closed(site: Site, script: str, count: int) -> bool:
    calls = site.house.upstream.received(script)
    return len(calls) == count and all(call.closed.is_set() for call in calls)


def _seconds_held(call: Received) -> float:
    assert call.closed_at is not None
    return call.closed_at - call.at


def _rest(client: socket.socket) -> bytes:
    """The end of what the system had kept when the connection was cut."""
    came = b""
    with contextlib.suppress(ConnectionResetError):
        while part := client.recv(MEGABYTE):
            came = part[-100:]
    return came


def _rows(site: Site, tenant: Tenant, count: int) -> list[Row]:
    until(lambda: len(site.rows(tenant.key_id)) >= count, 15, "not in the ledger")
    return site.rows(tenant.key_id)
