"""Circuits against a real Valkey: when they open, who else knows, and how they close again."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest
import redis

from gateway.supervisor.valkey import Valkey as ValkeyServer
from gateway.upstreams.circuits import ENOUGH, LONGEST_REST_SECONDS, OPEN_SECONDS, SCRIPTS, Circuits, Gate
from gateway.valkey import Valkey

NAME = "groq/7/llama"


class Clock:
    """The time of one process, which a test moves on."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@contextlib.asynccontextmanager
async def process(url: str) -> AsyncIterator[Circuits]:
    """The circuits of one web process."""
    valkey = Valkey(url, SCRIPTS)
    await valkey.start()
    circuits = Circuits(valkey)
    yield circuits
    circuits.stop()
    await valkey.stop()


@pytest.fixture
async def circuits(valkey: redis.Redis, valkey_server: ValkeyServer) -> AsyncIterator[Circuits]:
    async with process(valkey_server.url) as circuits:
        yield circuits


@pytest.fixture
async def other(valkey: redis.Redis, valkey_server: ValkeyServer) -> AsyncIterator[Circuits]:
    async with process(valkey_server.url) as circuits:
        yield circuits


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def alone(clock: Clock) -> AsyncIterator[Circuits]:
    """A process whose Valkey is away."""
    circuits = Circuits(Valkey("unix:///nowhere/valkey.sock", SCRIPTS), clock=clock)
    yield circuits
    circuits.stop()


async def heard(circuits: Circuits) -> None:
    """Wait until what was told has been answered."""
    await circuits._valkey.command("PING")


def fail(circuits: Circuits, times: int) -> None:
    for _ in range(times):
        circuits.failed(NAME)


def succeed(circuits: Circuits, times: int) -> None:
    for _ in range(times):
        circuits.succeeded(NAME)


async def test_a_circuit_that_nobody_used_is_closed(circuits: Circuits) -> None:
    assert circuits.gate(NAME) is Gate.CLOSED


async def test_half_of_enough_attempts_failing_opens_it(alone: Circuits) -> None:
    succeed(alone, ENOUGH // 2)
    fail(alone, ENOUGH // 2 - 1)
    before = alone.gate(NAME)

    fail(alone, 1)

    assert (before, alone.gate(NAME), alone.open) == (Gate.CLOSED, Gate.OPEN, 1)


async def test_less_than_half_failing_leaves_it_closed(alone: Circuits) -> None:
    succeed(alone, 60)
    fail(alone, 59)

    assert alone.gate(NAME) is Gate.CLOSED


async def test_failures_of_half_a_minute_ago_do_not_count(alone: Circuits, clock: Clock) -> None:
    fail(alone, ENOUGH - 1)

    clock.now += 31
    fail(alone, 1)

    assert alone.gate(NAME) is Gate.CLOSED


async def test_one_circuit_says_nothing_of_another(alone: Circuits) -> None:
    fail(alone, ENOUGH)

    assert alone.gate("groq/8/llama") is Gate.CLOSED


async def test_a_provider_that_asks_for_rest_gets_it_at_once(alone: Circuits, clock: Clock) -> None:
    alone.failed(NAME, retry_after=42)

    clock.now += 41.9
    before = alone.gate(NAME)
    clock.now += 0.2

    assert (before, alone.gate(NAME)) == (Gate.OPEN, Gate.HALF_OPEN)


async def test_nobody_is_left_alone_for_hours(alone: Circuits, clock: Clock) -> None:
    alone.failed(NAME, retry_after=86_400)

    clock.now += LONGEST_REST_SECONDS + 0.1

    assert alone.gate(NAME) is Gate.HALF_OPEN


async def test_half_open_lets_one_attempt_look(alone: Circuits, clock: Clock) -> None:
    fail(alone, ENOUGH)
    clock.now += OPEN_SECONDS

    looking = [await alone.may_probe(NAME) for _ in range(3)]

    assert looking == [True, False, False]


async def test_a_probe_that_succeeds_closes_it_and_forgets(alone: Circuits, clock: Clock) -> None:
    fail(alone, ENOUGH)
    clock.now += OPEN_SECONDS
    await alone.may_probe(NAME)

    alone.succeeded(NAME)
    fail(alone, ENOUGH - 2)  # with those of before there would be enough

    assert alone.gate(NAME) is Gate.CLOSED


async def test_a_probe_that_fails_opens_it_again(alone: Circuits, clock: Clock) -> None:
    fail(alone, ENOUGH)
    clock.now += OPEN_SECONDS
    await alone.may_probe(NAME)

    alone.failed(NAME)
    clock.now += OPEN_SECONDS - 0.1

    assert alone.gate(NAME) is Gate.OPEN


async def test_a_probe_that_never_comes_back_is_followed_by_another(alone: Circuits, clock: Clock) -> None:
    fail(alone, ENOUGH)
    clock.now += OPEN_SECONDS
    await alone.may_probe(NAME)

    clock.now += 10

    assert await alone.may_probe(NAME)


async def test_what_several_processes_see_together_opens_it_for_all(
    circuits: Circuits, other: Circuits
) -> None:
    fail(circuits, ENOUGH // 2)
    await heard(circuits)
    fail(other, ENOUGH // 2)
    await heard(other)
    knows = other.gate(NAME)

    circuits.failed(NAME)  # a late one: its report brings back what the others know
    await heard(circuits)

    assert (knows, circuits.gate(NAME)) == (Gate.OPEN, Gate.OPEN)


async def test_successes_elsewhere_keep_a_circuit_closed(circuits: Circuits, other: Circuits) -> None:
    succeed(other, 100)
    other._report_all()
    await heard(other)

    fail(circuits, ENOUGH - 1)
    await heard(circuits)

    assert circuits.gate(NAME) is Gate.CLOSED


async def test_of_all_processes_one_probes(circuits: Circuits, other: Circuits, valkey: redis.Redis) -> None:
    for process_circuits in (circuits, other):
        process_circuits.failed(NAME, retry_after=0.05)
        await heard(process_circuits)
    await asyncio.sleep(0.06)

    looking = await asyncio.gather(circuits.may_probe(NAME), other.may_probe(NAME))

    assert sorted(looking) == [False, True]


async def test_a_success_closes_it_for_all(circuits: Circuits, other: Circuits) -> None:
    for process_circuits in (circuits, other):
        process_circuits.failed(NAME, retry_after=0.05)
        await heard(process_circuits)
    await asyncio.sleep(0.06)
    await circuits.may_probe(NAME)

    circuits.succeeded(NAME)
    await heard(circuits)

    assert await other.may_probe(NAME)
    other.succeeded(NAME)
    assert (circuits.gate(NAME), other.gate(NAME)) == (Gate.CLOSED, Gate.CLOSED)


async def test_nothing_of_a_circuit_stays_in_valkey_for_long(circuits: Circuits, valkey: redis.Redis) -> None:
    succeed(circuits, 1)
    fail(circuits, 1)
    await heard(circuits)

    (key,) = valkey.keys("gw:circuit:*")

    assert 0 < valkey.pttl(key) <= 30_000
