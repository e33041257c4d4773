"""What a worker did, as a web process tells it."""

from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.data_plane.batch_house import Nursery, make
from tests.data_plane.house import SCRIPTED, House, body
from tests.outages.site import until


def runs(house: House) -> dict[str, float]:
    told = house.get("/metrics", key="", headers=()).body.decode()
    return {
        sample.labels["outcome"]: sample.value
        for family in text_string_to_metric_families(told)
        for sample in family.samples
        if sample.name == "gateway_message_batch_item_runs_total"
    }


def recorded(house: House) -> dict[str, int]:
    names = ("sent", "finished", "requeued", "refused")
    rows = house.database.execute("SELECT * FROM message_batch_tally").fetchall()
    return {name: sum(row[name] for row in rows) for name in names}


def test_the_items_of_a_batch_are_counted_where_prometheus_looks(house: House, nursery: Nursery) -> None:
    before = recorded(house)
    with nursery.worker():
        make(house, house.tenant(), [body(SCRIPTED) for _ in range(30)]).wait_until_ended(15)
        until(lambda: recorded(house)["finished"] - before["finished"] >= 30, 20)
    until(lambda: runs(house)["finished"] - before["finished"] >= 30, 20)  # told anew after some seconds

    after = runs(house)
    gained = {outcome: after[outcome] - before[outcome] for outcome in after}
    assert gained == {"sent": 30, "finished": 30, "requeued": 0, "refused": 0}
