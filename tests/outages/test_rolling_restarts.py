"""Web processes restarted in turn, and killed, under streams: nobody is refused, nobody cut without a word."""

from __future__ import annotations

import random
import time
from collections import Counter

import pytest

from tests.outages.site import Site, until
from tests.outages.streams import Streams
from tests.outages.web_group import WebGroup

DRAIN_SECONDS = 1.0  # some streams last longer, and end with an error frame
LONGEST = 1.6
TOLD = ("error frame", "status 529")  # the end came within the stream, or before its first event


def test_rolling_restarts_refuse_nobody(site: Site) -> None:
    _restart_in_turn(site, restarts=3, clients=10)


@pytest.mark.chaos
def test_twenty_rolling_restarts_under_fifty_streams_refuse_nobody(site: Site) -> None:
    _restart_in_turn(site, restarts=20, clients=50)


@pytest.mark.chaos
def test_kills_for_five_minutes_harm_only_their_own_streams(site: Site) -> None:
    _kill_in_turn(site, kills=30, every=10.0, clients=50)


def test_a_killed_process_loses_no_attempt(site: Site) -> None:
    _lose_nothing(site, kills=3, clients=10)


@pytest.mark.chaos
def test_fifty_kills_lose_no_attempt(site: Site) -> None:
    _lose_nothing(site, kills=50, clients=20)


def _restart_in_turn(site: Site, restarts: int, clients: int) -> None:
    tenant = site.house.tenant()
    with _group(site) as group:
        began = time.monotonic()
        with Streams(site, tenant, group.port, clients, LONGEST) as load:
            for number in range(restarts):
                assert group.restart(number % 3) in (0, -15)
        seconds = time.monotonic() - began
        until(lambda: len(site.rows(tenant.key_id)) >= load.calls, 20, "not everything is settled")
        rows = site.rows(tenant.key_id)

    outcomes = Counter(stream.outcome for stream in load.streams)
    print(f"\n{restarts} restarts under {clients} streams in {seconds:.0f} s: {dict(outcomes)}")
    unexpected = [one.problem for one in load.streams if one.outcome not in ("whole", *TOLD)]
    assert unexpected == []
    assert outcomes["whole"] > 2 * restarts
    told = {stream.answer.header("request-id") for stream in load.streams if stream.answer}
    assert sorted(row.request_id for row in rows) == sorted(str(one) for one in told)
    assert Counter(row.source for row in rows) == Counter(
        reported=outcomes["whole"], estimated=sum(outcomes[one] for one in TOLD)
    )


def _kill_in_turn(site: Site, kills: int, every: float, clients: int) -> None:
    tenant, chance = site.house.tenant(), random.Random(5)
    own: set[tuple[int, int]] = set()
    with _group(site) as group, Streams(site, tenant, group.port, clients, LONGEST) as load:
        time.sleep(1)
        for number in range(kills):
            place = chance.choice(group.places)
            its_clients = _freeze_and_look(group, place)
            group.kill(place)
            own |= {(number, port) for port in its_clients}
            group.start(place)
            group.wait_until_serving(place)
            time.sleep(every)

    harmed = [stream for stream in load.streams if stream.outcome != "whole"]
    print(f"\n{kills} kills: {len(harmed)} of {len(load.streams)} streams harmed, {len(own)} were its own")
    assert len(load.streams) > 20 * kills
    assert {stream.port for stream in harmed} <= {port for _, port in own}
    assert len(harmed) <= len(own)


def _lose_nothing(site: Site, kills: int, clients: int) -> None:
    """Every call at the provider is one row: its figures, or `unknown` with what was reserved, within a minute."""
    tenant, chance = site.house.tenant(), random.Random(6)
    with _group(site) as group:
        with Streams(site, tenant, group.port, clients, LONGEST) as load:
            for _ in range(kills):
                time.sleep(chance.uniform(0.3, 1.0))
                place = chance.choice(group.places)
                group.kill(place)
                group.start(place)
                group.wait_until_serving(place)
        took = until(lambda: len(site.rows(tenant.key_id)) >= load.calls, 60, "an attempt is not closed")
        time.sleep(1)  # a doubled row would come now
        rows = site.rows(tenant.key_id)

    sources = Counter(row.source for row in rows)
    print(f"\n{kills} kills: {load.calls} calls, {len(rows)} rows after {took:.1f} s: {dict(sources)}")
    assert len(rows) == load.calls
    assert sources["unknown"] > 0
    assert [row for row in rows if row.source == "unknown" and not sum(row.tokens)] == []
    requests = [row.request_id for row in rows]
    assert len(set(requests)) == len(requests)
    days = site.rolled_up(tenant.key_id)
    assert days == (len(rows), *(sum(row.tokens[n] for row in rows) for n in range(5)))


def _freeze_and_look(group: WebGroup, place: int) -> set[int]:
    """Its clients at the moment of its death: a stopped process takes no new ones."""
    group.process(place).suspend()
    return group.clients(place)


def _group(site: Site) -> WebGroup:
    environment = site.house.environment | {"GATEWAY_DRAIN_SECONDS": str(DRAIN_SECONDS)}
    return WebGroup(environment, site.folder)
