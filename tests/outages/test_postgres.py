"""PostgreSQL away under load: known keys go on, unknown ones cannot be judged, the ledger ends exact."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import pytest

from gateway.credentials import new_secret
from tests.data_plane.house import body
from tests.data_plane.wire import Answer
from tests.outages.load import Load, percentile
from tests.outages.site import Site

AWAY = 60.0 if os.environ.get("LONG_TESTS") else 3.5  # seconds


@pytest.mark.parametrize("how", ["frozen", "killed"])
def test_postgres_away_stops_no_known_key_and_loses_no_usage(site: Site, how: str) -> None:
    load = Load(site, site.house.tenant())
    never_used = site.house.tenant()
    with load:
        time.sleep(0.5)
        gone = time.monotonic()
        with _away(site, how):
            strangers = site.house.ask_all(
                [site.house.message(body(), key=key) for key in (never_used.key, new_secret("api"))]
            )
            health = [site.house.get(path, key="") for path in ("/healthz", "/readyz")]
            time.sleep(max(0.0, AWAY - (time.monotonic() - gone)))
            away = time.monotonic() - gone
        time.sleep(0.5)
    settled = load.wait_for_ledger()

    added = load.added()
    print(
        f"\nPostgreSQL {how} for {away:.1f} s: {len(load.asked)} requests, added p50 "
        f"{percentile(added, 0.5) * 1000:.0f} ms, p99 {percentile(added, 0.99) * 1000:.0f} ms, max "
        f"{added[-1] * 1000:.0f} ms; strangers {[(one.status, round(one.took, 2)) for one in strangers]}, "
        f"ledger after {settled:.1f} s"
    )
    assert load.failures() == {}
    load.assert_ledger_is_exact()
    for answer in strangers:
        assert (answer.status, answer.json["error"]["type"]) == (503, "api_error")
        assert answer.took < 5
    assert (health[0].status, health[1].status) == (200, 200)
    assert health[1].json["checks"]["postgres"] == "away, in grace"
    assert site.house.post(body(), key=never_used.key).status == 200
    assert _stranger(site, new_secret("api")).status == 401


def test_usage_shows_in_reports_within_five_seconds(site: Site) -> None:
    tenant = site.house.tenant()
    seconds = []
    for number in range(1, 6):
        assert site.house.post(body(), key=tenant.key).status == 200
        began = time.monotonic()
        while site.house.office.wish("used", organization=tenant.name)["requests"] < number:
            assert time.monotonic() - began < 5
            time.sleep(0.02)
        seconds.append(time.monotonic() - began)

    print(f"\nusage shows in reports after {min(seconds):.2f} to {max(seconds):.2f} s")


def test_known_keys_go_on_while_both_stores_are_away(site: Site) -> None:
    """Keys are doubted while no announcement can be heard; the doubt must not cost each request its wait."""
    key = site.house.tenant().key
    assert site.house.post(body(), key=key).status == 200
    site.valkey.freeze()
    try:
        with _away(site, "frozen"):
            answers = []
            began = time.monotonic()
            while time.monotonic() - began < 12:
                answers.append(site.house.post(body(), key=key))
                time.sleep(0.1)
    finally:
        site.valkey.thaw()

    slow = [round(answer.took, 2) for answer in answers if answer.took > 0.2]
    print(f"\nboth stores frozen: {len(answers)} requests, those over 200 ms: {slow}")
    assert {answer.status for answer in answers} == {200}
    assert len(slow) <= 3, slow


@contextlib.contextmanager
def _away(site: Site, how: str) -> Iterator[None]:
    site.postgres.freeze() if how == "frozen" else site.postgres.kill()
    try:
        yield
    finally:
        site.postgres.thaw() if how == "frozen" else site.postgres.start()


def _stranger(site: Site, key: str) -> Answer:
    """A key that this process has never seen, from an address nobody has come from."""
    return site.house.post(body(), key=key, source=site.house.stranger())
