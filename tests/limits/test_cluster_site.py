"""A whole gateway whose Valkey is a cluster, with a single one beside it for Celery."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from gateway.shards import shard_of, usage_stream
from gateway.supervisor.postgres import Postgres
from gateway.supervisor.valkey import Valkey
from tests.cluster import Cluster, running_cluster
from tests.data_plane import wire
from tests.data_plane.house import CROSSING_BACK, PROJECT, Tenant, body
from tests.outages.load import Load
from tests.outages.site import Site, open_site, until

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def cluster(scratch_folders: Callable[[str], Path]) -> Iterator[Cluster]:
    with running_cluster(scratch_folders("cluster")) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def site(
    cluster: Cluster,
    postgres_server: Postgres,
    valkey_server: Valkey,
    scratch_folders: Callable[[str], Path],
) -> Iterator[Site]:
    stores = {"REDIS_URL": cluster.nodes[0].url, "GATEWAY_BROKER_URL": valkey_server.url}
    with open_site(postgres_server, scratch_folders, "clustered", **stores) as site:
        yield site


def test_usage_of_every_shard_reaches_the_ledger(site: Site) -> None:
    tenants = [site.house.tenant() for _ in range(8)]
    loads = [Load(site, tenant, rate=8) for tenant in tenants]
    for load in loads:
        load.__enter__()
    time.sleep(1)
    for load in loads:
        load.__exit__(None, None, None)
    for load in loads:
        load.wait_for_ledger()
        assert load.failures() == {}
        load.assert_ledger_is_exact()
    print(f"{sum(len(load.asked) for load in loads)} requests of {len(loads)} organizations")


def test_limits_hold_over_two_processes(site: Site) -> None:
    tenant = site.house.tenant(limits={"tokens_per_day": 40})
    sent = [site.house.message({**body(), "max_tokens": 1}, key=tenant.key)] * 40
    with_another = site.gateway("second")
    try:
        with_another.wait_until_ready()

        async def both() -> list[int]:
            ports = (site.house.port, with_another.port)
            answers = await asyncio.gather(*[wire.ask_all(port, sent, at_once=8) for port in ports])
            return [answer.status for several in answers for answer in several]

        statuses = Counter(asyncio.run(both()))
    finally:
        with_another.close()
    assert set(statuses) == {200, 429} and statuses[200] <= 20, statuses


def test_a_conversation_stays_where_it_was_answered(site: Site, cluster: Cluster) -> None:
    session = ("x-claude-code-session-id", "5e551011-0000-4000-8000-000000000001")
    answers = [site.house.post(body(CROSSING_BACK), headers=[session]) for _ in range(3)]
    kept = [key for node in cluster.nodes for key in node.client.scan_iter("gw:*:conversation:*")]

    assert [answer.status for answer in answers] == [200] * 3
    assert len({answer.header("x-gateway-provider") for answer in answers}) == 1
    assert len(kept) == 1


def test_changes_are_heard_and_wrong_keys_counted(site: Site) -> None:
    tenant = site.house.tenant(limits={"requests_per_minute": 1})
    assert [site.house.post(body(), key=tenant.key).status for _ in range(2)] == [200, 429]
    site.house.office.wish("limits", organization=tenant.name, limits={"requests_per_minute": 1_000})
    site.house.settle_in()
    assert site.house.post(body(), key=tenant.key).status == 200

    stranger = site.house.stranger()
    path = "/v1/organizations/me"
    raw = wire.request(
        "GET", path, [("x-api-key", "sk-ant-admin01-wrong"), ("anthropic-version", "2023-06-01")]
    )
    statuses = [site.house.ask(raw, source=stranger).status for _ in range(22)]
    assert statuses == [401] * 20 + [429] * 2


def test_pages_have_their_cache(site: Site, valkey_server: Valkey) -> None:
    """The sign-in form counts failures in Django's cache, which is with the broker."""
    base = f"http://127.0.0.1:{site.house.port}"
    with httpx.Client(base_url=base, headers={"Origin": base}) as client:
        page = client.get("/login").text
        token = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
        form = {"login": "nobody@example.com", "password": "wrong", "csrfmiddlewaretoken": token}
        answer = client.post("/login", data=form)
    assert answer.status_code == 200 and "password" in answer.text


def test_while_one_node_is_away_everybody_is_served_and_nothing_is_lost(site: Site, cluster: Cluster) -> None:
    tenants = [site.house.tenant() for _ in range(6)]
    loads = [Load(site, tenant, rate=4) for tenant in tenants]
    gone = cluster.nodes[1]  # not the one that REDIS_URL names
    unharmed = [load for load in loads if cluster.node_of(_stream(load.tenant)) is not gone]
    assert 0 < len(unharmed) < len(loads)
    for load in loads:
        load.__enter__()
    time.sleep(0.5)
    gone.store.kill()
    killed = time.monotonic()
    until(lambda: all(_is_recorded_after(site, load, killed + 1) for load in unharmed), 15)
    print(f"usage of others went on after {time.monotonic() - killed - 1:.1f} s")
    gone.store.start()
    for load in loads:
        load.__exit__(None, None, None)
    took = max(load.wait_for_ledger(30) for load in loads)
    print(
        f"the ledger had it all {took:.1f} s later; slowest answer {max(load.added()[-1] for load in loads):.2f} s"
    )
    for load in loads:
        assert load.failures() == {}
        load.assert_ledger_is_exact()


def _stream(tenant: Tenant) -> str:
    return usage_stream(shard_of(uuid.UUID(tenant.id)))


def _is_recorded_after(site: Site, load: Load, moment: float) -> bool:
    """Whether the ledger has anything that was asked after this moment."""
    recent = {asked.request_id for asked in load.asked if asked.at > moment and asked.answer is not None}
    return any(row.request_id in recent for row in site.rows(load.tenant.key_id))


REFUSED = {
    "prepare": (["manage.py", "prepare"], ""),
    "prepare with a cluster as broker": (["manage.py", "prepare"], "the cluster"),
    "worker": (["-m", "celery", "-A", "gateway", "worker", "--concurrency=1"], ""),
    "beat": (["-m", "celery", "-A", "gateway", "beat", "--schedule={folder}/schedule", "--pidfile="], ""),
}


@pytest.fixture(scope="module")
def refused(
    site: Site, cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, subprocess.Popen[str]]]:
    """Each command as a process; all begin at once."""
    folder, begun = tmp_path_factory.mktemp("refused"), {}
    for name, (command, broker) in REFUSED.items():
        begun[name] = subprocess.Popen(
            [sys.executable, *[word.format(folder=folder) for word in command]],
            cwd=PROJECT,
            env=site.house.environment | {"GATEWAY_BROKER_URL": cluster.url if broker else ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
    yield begun
    for process in begun.values():
        process.kill()
        process.communicate()


@pytest.mark.parametrize("name", REFUSED)
def test_a_cluster_is_refused_as_the_broker(refused: dict[str, subprocess.Popen[str]], name: str) -> None:
    said, _ = refused[name].communicate(timeout=30)
    _, broker = REFUSED[name]
    told = "names a Valkey cluster" if broker else "is not set, and REDIS_URL names a Valkey cluster"
    assert refused[name].returncode != 0
    assert f"GATEWAY_BROKER_URL {told}, which Celery cannot use." in said
