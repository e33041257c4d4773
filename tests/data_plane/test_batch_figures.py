"""What a worker did, as a web process tells it."""

from __future__ import annotations

import time
from pathlib import Path

from prometheus_client.parser import text_string_to_metric_families

from tests.data_plane.batch_house import batch_worker, make
from tests.data_plane.house import SCRIPTED, House, body


def runs(house: House) -> dict[str, float]:
    told = house.get("/metrics", key="", headers=()).body.decode()
    return {
        sample.labels["outcome"]: sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        if sample.name == "gateway_message_batch_item_runs_total"
    }


def test_the_items_of_a_batch_are_counted_where_prometheus_looks(house: House, tmp_path: Path) -> None:
    before = runs(house)
    with batch_worker(house, tmp_path / "log"):
        make(house, house.tenant(), [body(SCRIPTED) for _ in range(30)]).wait_until_ended(15)
        until = time.monotonic() + 20
        while runs(house)["finished"] - before["finished"] < 30 and time.monotonic() < until:
            time.sleep(0.5)

    after = runs(house)
    gained = {outcome: after[outcome] - before[outcome] for outcome in after}
    assert gained == {"sent": 30, "finished": 30, "requeued": 0, "refused": 0}
