"""Limits, budgets, circuits and wrong keys where Valkey is a cluster of three nodes."""

from __future__ import annotations

import asyncio
import secrets
import time
import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from gateway.budgets import NANODOLLARS_A_CENT, Budget, Budgets, Counter
from gateway.limiters import Amounts
from gateway.limits.admission import Admission, BudgetRefusal
from gateway.limits.limiter import AUDIT_BEGIN, AUDIT_END, SCRIPTS, Limiter
from gateway.limits.replicas import Replicas
from gateway.scopes import Pool, open_key, state_key
from gateway.shards import SHARDS, shard_of, usage_stream
from gateway.upstreams import circuits
from gateway.upstreams.circuits import ENOUGH, Circuits, Gate
from gateway.valkey import Valkey, ValkeyUnavailable
from tests.cluster import Cluster, Node, running_cluster
from tests.limits.pools import pool, scope

NOTHING = Amounts()
TENANTS = [uuid.UUID(int=0xAC3E_0000 + shard) for shard in range(SHARDS)]  # one in each shard


@pytest.fixture(scope="module")
def whole_cluster(scratch_folders: Callable[[str], Path]) -> Iterator[Cluster]:
    with running_cluster(scratch_folders("cluster")) as cluster:
        yield cluster


@pytest.fixture
def cluster(whole_cluster: Cluster) -> Cluster:
    """All nodes there, and nothing in them."""
    whole_cluster.wait_until_whole()
    whole_cluster.flush()
    return whole_cluster


@pytest.fixture
async def limiter(cluster: Cluster) -> AsyncIterator[Limiter]:
    valkey = Valkey(cluster.url, (*SCRIPTS, *circuits.SCRIPTS))
    await valkey.start()
    assert valkey.whole
    limiter = Limiter(valkey)
    valkey.on_up = limiter.valkey_is_up
    yield limiter
    await valkey.stop()


def lease() -> str:
    return str(uuid.uuid4())


def limited(tenant: uuid.UUID, **limits: int) -> Pool:
    """Two scopes, so that a script has several keys."""
    wide = {name: value * 100 for name, value in limits.items()}
    return pool(scope(tenant=tenant, **wide), scope(tenant=tenant, kind="api_key", **limits), tenant=tenant)


def budget(tenant: uuid.UUID, cents: int) -> tuple[Counter, ...]:
    spend_limit = Budget("spl_1", "organization", str(tenant), "monthly", cents * NANODOLLARS_A_CENT)
    return Budgets(tenant, (spend_limit,)).counters(time.time_ns() // 1_000_000)


def node_of(cluster: Cluster, tenant: uuid.UUID) -> Node:
    return cluster.node_of(usage_stream(shard_of(tenant)))


async def test_each_organization_has_its_limits_on_one_node(limiter: Limiter, cluster: Cluster) -> None:
    async def ask(tenant: uuid.UUID) -> list[Admission]:
        limits = limited(tenant, requests=3, tokens=90, concurrent=5)
        return [await limiter.admit(limits, lease(), Amounts(10, 10)) for _ in range(5)]

    answers = await asyncio.gather(*[ask(tenant) for tenant in TENANTS])
    for several in answers:
        assert [one.admitted for one in several] == [True] * 3 + [False] * 2
        assert not any(one.local for one in several)
    await asyncio.gather(
        *[
            limiter.settle(one, Amounts(1, 1), b"event")
            for several in answers
            for one in several
            if one.admitted
        ]
    )

    for tenant in TENANTS:
        node = node_of(cluster, tenant)
        assert node.client.xlen(usage_stream(shard_of(tenant))) == 3
        bucket = node.client.hgetall(state_key(tenant, "default", "api_key", "api_key_1"))
        assert float(bucket[b"t"]) == pytest.approx(90 - 3 * 2, abs=1.5)
        assert not node.client.exists(open_key(tenant))
    used = [node for node in cluster.nodes if node.client.dbsize()]
    print(f"keys on the nodes: {[node.client.dbsize() for node in cluster.nodes]}")
    assert len(used) == 3


async def test_budgets_are_audited_reserved_and_counted(limiter: Limiter, cluster: Cluster) -> None:
    for tenant in TENANTS:
        counters, limits = budget(tenant, 10), limited(tenant, requests=100)
        cost = 4 * NANODOLLARS_A_CENT
        assert (await limiter.admit(limits, lease(), NOTHING, counters=counters, cost=cost)).unknown

        await _audit(limiter, counters[0], found=1 * NANODOLLARS_A_CENT)

        first = await limiter.admit(limits, lease(), NOTHING, counters=counters, cost=cost)
        second = await limiter.admit(limits, lease(), NOTHING, counters=counters, cost=cost)
        third = await limiter.admit(limits, lease(), NOTHING, counters=counters, cost=cost)
        assert (first.admitted, second.admitted) == (True, True)
        assert isinstance(third.refusal, BudgetRefusal)
        assert third.refusal.remaining == 1 * NANODOLLARS_A_CENT
        await limiter.settle(first, NOTHING, b"event", cost=cost // 2, attempt_id=uuid.UUID(first.lease))
        await limiter.settle(second, NOTHING, b"event", cost=cost, attempt_id=uuid.UUID(second.lease))
        stored = node_of(cluster, tenant).client.hmget(counters[0].key, "s", "r")
        assert stored == [b"%d" % (7 * NANODOLLARS_A_CENT), b"0"]


async def _audit(limiter: Limiter, counter: Counter, *, found: int) -> None:
    stream = usage_stream(shard_of(counter.organization_id))
    token = secrets.token_hex(4)
    begun, _ = await limiter.valkey.call(AUDIT_BEGIN, [counter.key, stream], [token, 5_000, 5_000, 0])
    assert begun == 1
    ended = await limiter.valkey.call(
        AUDIT_END, [counter.key, open_key(counter.organization_id)], [token, found]
    )
    assert ended == [1, 0, 0]


async def test_wrong_keys_and_processes_are_counted(limiter: Limiter) -> None:
    for number in range(6):  # on any node
        assert [await limiter.guesses(f"192.0.2.{number}") for _ in range(3)] == [1, 2, 3]
    replicas = [Replicas(limiter.valkey, name) for name in ("one", "two", "three")]
    for one in replicas:
        await one.start()
    await replicas[0].stop()
    await replicas[1]._tell()
    assert [replicas[2].count, replicas[1].count] == [3, 2]
    for one in replicas[1:]:
        await one.stop()


async def test_what_one_process_sees_of_a_provider_another_hears(cluster: Cluster) -> None:
    several = [Valkey(cluster.url, circuits.SCRIPTS) for _ in range(2)]
    for valkey in several:
        await valkey.start()
    here, there = (Circuits(valkey) for valkey in several)
    for number in range(6):  # on any node
        name = f"groq/{number}/llama"
        for _ in range(ENOUGH):
            here.failed(name)
        await several[0].command("EXISTS", f"gw:circuit:{name}")
        there.failed(name)
        await _until(lambda name=name: there.gate(name) is Gate.OPEN)  # type: ignore[misc]
    for one, valkey in zip((here, there), several, strict=True):
        one.stop()
        await valkey.stop()


async def test_a_slot_that_moves_is_followed(limiter: Limiter, cluster: Cluster) -> None:
    tenant = TENANTS[3]
    limits = limited(tenant, requests=4)
    held = await limiter.admit(limits, lease(), NOTHING)
    before = node_of(cluster, tenant)
    after = next(node for node in cluster.nodes if node is not before)

    cluster.move(usage_stream(shard_of(tenant)), after)
    answers = [await limiter.admit(limits, lease(), NOTHING) for _ in range(4)]
    await limiter.settle(held, NOTHING, b"event")

    assert [answer.local for answer in answers] == [False] * 4
    assert [answer.admitted for answer in answers] == [True] * 3 + [
        False
    ]  # with the one before the move four
    assert after.client.xlen(usage_stream(shard_of(tenant))) == 1
    cluster.move(usage_stream(shard_of(tenant)), before)


async def test_while_a_slot_is_on_its_way_its_organizations_go_on_alone_and_nothing_is_lost(
    limiter: Limiter, cluster: Cluster
) -> None:
    """As older versions move slots, key by key: a script with several keys has no place to run meanwhile."""
    tenant = TENANTS[4]
    limits = limited(tenant, requests=3, tokens=3_000)
    held = await limiter.admit(limits, lease(), Amounts(0, 2_000))
    with cluster.moving(usage_stream(shard_of(tenant))):
        alone = [await limiter.admit(limits, lease(), NOTHING) for _ in range(3)]
        assert [(one.admitted, one.local) for one in alone] == [(True, True)] * 3
        with pytest.raises(ValkeyUnavailable):
            await limiter.settle(held, NOTHING)
    await _until_not_local(limiter, tenant)
    await _until(lambda: not limiter._owed)
    await asyncio.sleep(0.1)

    bucket = node_of(cluster, tenant).client.hgetall(state_key(tenant, "default", "api_key", "api_key_1"))

    assert float(bucket[b"t"]) == pytest.approx(3_000, abs=1)
    assert not (
        await limiter.admit(limits, lease(), NOTHING)
    ).admitted  # one before the move, three during it


async def test_a_node_that_dies_harms_only_its_organizations_which_go_on_alone(
    limiter: Limiter, cluster: Cluster
) -> None:
    gone = cluster.nodes[1]
    theirs = {tenant: limited(tenant, requests=3) for tenant in TENANTS if node_of(cluster, tenant) is gone}
    others = {tenant: limited(tenant, requests=3) for tenant in TENANTS if tenant not in theirs}
    assert len(theirs) >= 3 and len(others) >= 8
    for limits in (theirs | others).values():
        assert (await limiter.admit(limits, lease(), NOTHING)).admitted

    gone.store.kill()
    began = time.perf_counter()
    alone = [await limiter.admit(limits, lease(), NOTHING) for limits in theirs.values() for _ in range(4)]
    took = time.perf_counter() - began
    unharmed = [await limiter.admit(limits, lease(), NOTHING) for limits in others.values()]

    print(f"{len(alone)} admissions without their node in {took * 1000:.0f} ms")
    assert took < 0.5
    assert all(answer.local for answer in alone)
    assert sum(answer.admitted for answer in alone) == 3 * len(theirs)
    assert all(answer.admitted and not answer.local for answer in unharmed)
    assert limiter.valkey.available and not limiter.valkey.whole

    gone.store.start()
    await _until(lambda: limiter.valkey.whole, 10)
    await _until_not_local(limiter, next(iter(theirs)))
    for tenant, limits in theirs.items():  # what was granted alone is taken from the node that is back
        answer = await limiter.admit(limits, lease(), NOTHING)
        assert (answer.local, answer.admitted) == (False, False), tenant


async def _until(true: Callable[[], bool], within: float = 5) -> None:
    deadline = time.monotonic() + within
    while not true():
        assert time.monotonic() < deadline
        await asyncio.sleep(0.02)


async def _until_not_local(limiter: Limiter, tenant: uuid.UUID) -> None:
    deadline = time.monotonic() + 10
    probe = pool(scope(tenant=tenant, kind="probe", requests=1_000), tenant=tenant)
    while (await limiter.admit(probe, lease(), NOTHING)).local:
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
