"""Whoever waits as long as told gets through, the official SDK by itself; and what a killed process leaves."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
import signal
import threading
import time
import uuid

import anthropic
import pytest

from gateway.scopes import PLACES, state_key
from tests import upstream as provider
from tests.data_plane import wire
from tests.data_plane.house import SCRIPTED, Tenant, body
from tests.limits.spender import Spender
from tests.outages.site import Site, until
from tests.upstream import LAST_CHUNK, Pause, Send, chunk, stream_head

pytestmark = pytest.mark.slow

LEASE_SECONDS = 90
HELD_SECONDS = 2.5  # by each stream


@pytest.fixture(scope="module")
def limited(site: Site) -> dict[str, Tenant]:
    limits = {
        "requests": {"requests_per_minute": 20},
        "tokens": {"tokens_per_minute": 2_000},
        "output": {"output_tokens_per_minute": 1_500},
        "places": {"concurrent_requests": 1},
    }
    return {name: site.house.tenant(limits=limit) for name, limit in limits.items()}


def sdk(site: Site, tenant: Tenant) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key=tenant.key, base_url=site.house.base_url)


def ask(client: anthropic.Anthropic, **fields: object) -> float:
    """The seconds that the SDK took, with its retries."""
    began = time.monotonic()
    client.messages.create(**{**body(SCRIPTED), "max_tokens": 1, **fields})  # type: ignore[call-overload]
    return time.monotonic() - began


def test_waiting_as_told_is_enough_for_every_kind_of_limit(site: Site, limited: dict[str, Tenant]) -> None:
    """Side by side, since each of them waits for seconds."""
    with concurrent.futures.ThreadPoolExecutor() as several:
        waits = {
            "requests": several.submit(_after_all_requests, site, limited["requests"]),
            "tokens": several.submit(_after_a_debt, site, limited["tokens"], 2_150),
            "output": several.submit(_after_a_debt, site, limited["output"], 1_610),
            "a place": several.submit(_after_a_stream, site, limited["places"]),
        }
        took = {name: wait.result() for name, wait in waits.items()}
    print("the SDK got through after", {name: f"{seconds:.1f} s" for name, seconds in took.items()})
    assert all(seconds >= 0.9 for seconds in took.values()), "nobody waited"
    assert all(seconds < 15 for seconds in took.values())


def _after_all_requests(site: Site, tenant: Tenant) -> float:
    raw = site.house.message({**body(SCRIPTED), "max_tokens": 1}, key=tenant.key)
    answers = asyncio.run(wire.ask_all(site.house.port, [raw] * 32, at_once=8))
    assert 429 in {answer.status for answer in answers}
    return ask(sdk(site, tenant))


def _after_a_debt(site: Site, tenant: Tenant, used: int) -> float:
    usage = {**provider.USAGE, "input_tokens": 1, "output_tokens": used}
    script = site.house.upstream.script(provider.reply(200, provider.message(usage=usage)))
    ask(sdk(site, tenant), messages=body(SCRIPTED, script)["messages"])
    return ask(sdk(site, tenant))


def _after_a_stream(site: Site, tenant: Tenant) -> float:
    """Three streams, one after another, each asked for while the one before holds the only place."""
    frames = provider.frames()
    slow = [part for frame in frames for part in (Send(chunk(frame)), Pause(HELD_SECONDS / len(frames)))]
    script = site.house.upstream.script(Send(stream_head()), *slow, Send(LAST_CHUNK))
    longest, began = [0.0], threading.Barrier(3)

    def stream(number: int) -> None:
        began.wait()
        time.sleep(number * 0.4)
        at = time.monotonic()
        with sdk(site, tenant).messages.stream(
            model=SCRIPTED, max_tokens=100, messages=[{"role": "user", "content": f"Hello {script}"}]
        ) as answer:
            longest[0] = max(longest[0], time.monotonic() - at)
            assert answer.get_final_message().stop_reason == "end_turn"

    threads = [concurrent.futures.ThreadPoolExecutor(1) for _ in range(2)]
    waiting = [thread.submit(stream, number) for number, thread in enumerate(threads)]
    began.wait()
    for one in waiting:
        one.result()
    return longest[0]


def test_a_refusal_is_found_by_its_request_within_seconds(site: Site) -> None:
    spender = Spender(site, limits={"requests_per_minute": 1})
    assert spender.spend(0).status == 200
    refused = spender.spend(0)
    assert refused.status == 429

    took = until(lambda: bool(spender.blocks(refused.header("request-id"))), 10, "it is not found")

    (block,) = spender.blocks(refused.header("request-id"))
    print(f"found {took:.1f} s later: {block['message']}")
    assert (block["kind"], block["limit_type"], block["limit"]) == ("rate_limit", "requests_per_minute", 1)
    assert block["api_key_id"] == spender.key_id
    assert spender.blocks("req_000000000000000000000000") == []


def test_a_killed_process_leaves_its_places_for_a_lease_at_most(site: Site) -> None:
    tenant = site.house.tenant(limits={"concurrent_requests": 1})
    doomed = site.gateway("doomed")
    doomed.wait_until_ready()
    script = site.house.upstream.script(Send(stream_head()), Send(chunk(provider.frames()[0])), Pause(120))
    raw = site.house.message(body(SCRIPTED, script, stream=True), key=tenant.key)
    holding = threading.Thread(target=_hold, args=(doomed.port, raw))
    holding.start()
    site.house.upstream.received(script, 1)
    os.kill(doomed.pid, signal.SIGKILL)
    killed = time.monotonic()
    doomed.wait(5)
    holding.join()
    valkey = site.house.valkey
    site.forget_replica(doomed)
    places = state_key(uuid.UUID(tenant.id), "default", "organization", tenant.id) + PLACES

    ((_, deadline),) = valkey.zrange(places, 0, -1, withscores=True)
    seconds, microseconds = valkey.time()
    left = deadline / 1000 - seconds - microseconds / 1e6
    refused = site.house.post(body(), key=tenant.key).status
    if os.environ.get("LONG_TESTS"):
        until(lambda: site.house.post(body(), key=tenant.key).status == 200, LEASE_SECONDS + 5)
        print(f"the place was free {time.monotonic() - killed:.0f} s after the kill")
        return
    valkey.zadd(places, dict.fromkeys(valkey.zrange(places, 0, -1), 1))  # as if the lease had ended

    print(f"the place of a killed process is free {left:.0f} s later")
    assert 0 < left <= LEASE_SECONDS
    assert refused == 429
    assert site.house.post(body(), key=tenant.key).status == 200


def _hold(port: int, raw: bytes) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError):
        asyncio.run(wire.ask(port, raw, 60))
