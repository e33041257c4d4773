"""Valkey away under load: answers go on by the local limit, usage waits on disk, the ledger ends exact."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator

import pytest

from tests.outages.load import Load, percentile
from tests.outages.site import Site, until

AWAY = 20.0 if os.environ.get("LONG_TESTS") else 2.5  # seconds
WITHIN = 0.2


@pytest.mark.parametrize("how", ["frozen", "killed", "killed and emptied"])
def test_valkey_away_delays_no_answer_and_loses_no_usage(site: Site, how: str) -> None:
    load = Load(site, site.house.tenant())
    with load:
        time.sleep(0.5)
        gone = time.monotonic()
        with _away(site, how):
            time.sleep(AWAY)
            spooled = site.spooled_bytes()
            back = time.monotonic()
        time.sleep(1)
    replayed = until(lambda: site.spooled_bytes() == 0, 15, "the spool was not replayed")
    settled = load.wait_for_ledger()

    print(_figures(f"Valkey {how}", load, gone, back, spooled, replayed, settled))
    assert load.failures() == {}
    assert spooled > 0, "nothing was spooled"
    added = load.added()
    assert percentile(added, 0.99) < WITHIN, added[-10:]
    load.assert_ledger_is_exact()


@contextlib.contextmanager
def _away(site: Site, how: str) -> Iterator[None]:
    if how == "frozen":
        site.valkey.freeze()
    else:
        site.valkey.kill(forget="emptied" in how)
    try:
        yield
    finally:
        site.valkey.thaw() if how == "frozen" else site.valkey.start()


def _figures(
    name: str, load: Load, gone: float, back: float, spooled: int, replayed: float, settled: float
) -> str:
    added = load.added()
    rows = len({row.request_id for row in load._site.rows(load.tenant.key_id)})
    return (
        f"\n{name} for {back - gone:.1f} s: {len(load.asked)} requests, {len(load.calls())} calls, {rows} rows; "
        f"added p50 {percentile(added, 0.5) * 1000:.0f} ms, p99 {percentile(added, 0.99) * 1000:.0f} ms, "
        f"max {added[-1] * 1000:.0f} ms; spooled {spooled} bytes, replayed after {replayed:.1f} s, "
        f"ledger after {settled:.1f} s"
    )
