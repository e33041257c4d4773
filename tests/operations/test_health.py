from __future__ import annotations

import asyncio
import os
import platform
import signal
from typing import Any

import psycopg
import pytest
import redis.asyncio
import uvicorn

from gateway import __version__, health
from gateway.health import Health
from gateway.supervisor.postgres import Postgres
from gateway.supervisor.valkey import Valkey

from .asgi import ask


class Gateway:
    """A process as its health page sees it: switches instead of stores, and a clock that is set by hand."""

    def __init__(self) -> None:
        self.postgres_up = self.valkey_up = self.loaded = True
        self.draining = False
        self.now = 1000.0
        self.probes = 0
        self.health = Health(
            postgres=self.postgres,
            valkey=self.valkey,
            directory_loaded=lambda: self.loaded,
            draining=lambda: self.draining,
            server="uvicorn",
            clock=lambda: self.now,
        )

    async def postgres(self) -> None:
        self.probes += 1
        await asyncio.sleep(0)
        if not self.postgres_up:
            raise ConnectionError("canary: no route to db.internal")

    async def valkey(self) -> None:
        if not self.valkey_up:
            raise TimeoutError

    async def ready(self) -> tuple[int, dict[str, Any]]:
        answer = await ask(self.health.readyz)
        return answer.status, answer.json["checks"]


OK = {"postgres": "ok", "valkey": "ok", "directory": "ok", "draining": "no"}


async def test_a_process_whose_stores_answer_is_ready_and_says_so_by_check() -> None:
    answer = await ask(Gateway().health.readyz)
    assert (answer.status, answer.json) == (200, {"status": "ready", "checks": OK})
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("store", ["postgres", "valkey"])
async def test_a_process_is_not_ready_before_each_store_was_reached_once(store: str) -> None:
    gateway = Gateway()
    setattr(gateway, f"{store}_up", False)
    assert await gateway.ready() == (503, OK | {store: "never reached"})
    setattr(gateway, f"{store}_up", True)
    gateway.now += 1
    assert await gateway.ready() == (200, OK)


@pytest.mark.parametrize("store", ["postgres", "valkey"])
async def test_a_store_may_be_away_for_a_minute_before_readiness_ends(store: str) -> None:
    gateway = Gateway()
    await gateway.ready()
    gateway.now += 600
    setattr(gateway, f"{store}_up", False)
    assert await gateway.ready() == (200, OK | {store: "away, in grace"})
    gateway.now += 59
    assert await gateway.ready() == (200, OK | {store: "away, in grace"})
    gateway.now += 1
    assert await gateway.ready() == (503, OK | {store: "away"})
    setattr(gateway, f"{store}_up", True)
    gateway.now += 1
    assert await gateway.ready() == (200, OK)


async def test_the_grace_begins_anew_with_every_outage() -> None:
    gateway = Gateway()
    for up in (True, False, True, False):
        gateway.postgres_up = up
        gateway.now += 59
        assert (await gateway.ready())[0] == 200


async def test_without_a_directory_or_while_draining_a_process_is_not_ready_at_once() -> None:
    gateway = Gateway()
    gateway.loaded = False
    assert await gateway.ready() == (503, OK | {"directory": "not loaded"})
    gateway.loaded, gateway.draining = True, True
    assert await gateway.ready() == (503, OK | {"draining": "yes"})


async def test_liveness_asks_no_store() -> None:
    gateway = Gateway()
    gateway.postgres_up = gateway.valkey_up = gateway.loaded = False
    gateway.draining = True
    answer = await ask(gateway.health.healthz)
    assert (answer.status, answer.json, gateway.probes) == (200, {"status": "ok"}, 0)


async def test_many_askers_cost_one_probe_a_second() -> None:
    gateway = Gateway()
    await asyncio.gather(*(gateway.ready() for _ in range(100)))
    assert gateway.probes == 1
    gateway.now += 1
    await gateway.ready()
    assert gateway.probes == 2


async def test_readiness_names_no_host_of_a_store() -> None:
    gateway = Gateway()
    gateway.postgres_up = False
    assert b"canary" not in (await ask(gateway.health.readyz)).body


async def test_a_store_that_is_silent_is_away_after_two_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    assert health._PROBE_TIMEOUT == 2
    monkeypatch.setattr(health, "_PROBE_TIMEOUT", 0.1)
    gateway = Gateway()

    async def silent() -> None:
        await asyncio.sleep(60)

    looking = Health(
        postgres=silent,
        valkey=gateway.valkey,
        directory_loaded=lambda: True,
        draining=lambda: False,
        server="uvicorn",
    )
    async with asyncio.timeout(3):
        answer = await ask(looking.readyz)
    assert (answer.status, answer.json["checks"]["postgres"]) == (503, "never reached")


async def test_the_version_names_gateway_python_and_server() -> None:
    answer = await ask(Gateway().health.version)
    assert answer.json == {
        "version": __version__,
        "python": platform.python_version(),
        "server": f"uvicorn {uvicorn.__version__}",
    }


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/version"])
async def test_every_page_answers_head_without_a_body_and_refuses_other_methods(path: str) -> None:
    page = Gateway().health.pages[path]
    head, post = await ask(page, "HEAD"), await ask(page, "POST")
    assert (head.status, head.body, int(head.headers["content-length"]) > 0) == (200, b"", True)
    assert (post.status, post.headers["allow"], post.json["error"]["type"]) == (
        405,
        "GET, HEAD",
        "invalid_request_error",
    )
    assert post.json["request_id"] == post.headers["request-id"]


async def test_metrics_are_shown_although_what_they_ask_fails() -> None:
    gateway = Gateway()

    async def fails() -> None:
        raise ConnectionError

    health = Health(
        postgres=gateway.postgres,
        valkey=gateway.valkey,
        directory_loaded=lambda: True,
        draining=lambda: False,
        server="uvicorn",
        before_metrics=(fails,),
    )
    answer = await ask(health.metrics)
    assert answer.status == 200 and answer.headers["content-type"].startswith("text/plain")


async def test_real_stores_are_missed_when_they_stop_and_found_again(
    postgres_server: Postgres, valkey_server: Valkey
) -> None:
    async def postgres() -> None:
        async with await psycopg.AsyncConnection.connect(
            postgres_server.url, connect_timeout=1
        ) as connection:
            await connection.execute("select 1")

    async def valkey() -> None:
        async with redis.asyncio.Redis.from_url(valkey_server.url, socket_timeout=0.5) as client:
            await client.ping()

    clock = Gateway()
    health = Health(
        postgres=postgres,
        valkey=valkey,
        directory_loaded=lambda: True,
        draining=lambda: False,
        server="uvicorn",
        clock=lambda: clock.now,
    )
    assert (await ask(health.readyz)).json["checks"] == OK
    pid = await _valkey_pid(valkey_server)
    os.kill(pid, signal.SIGSTOP)
    try:
        clock.now += 1
        assert (await ask(health.readyz)).json["checks"] == OK | {"valkey": "away, in grace"}
    finally:
        os.kill(pid, signal.SIGCONT)
    clock.now += 1
    assert (await ask(health.readyz)).json["checks"] == OK


async def _valkey_pid(server: Valkey) -> int:
    async with redis.asyncio.Redis.from_url(server.url) as client:
        return int((await client.info("server"))["process_id"])
