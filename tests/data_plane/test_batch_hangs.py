"""Requests of batches that a provider never answers: they leave room and memory for others."""

from __future__ import annotations

from tests.data_plane.batch_house import Nursery, all_ended, make, others, told
from tests.data_plane.house import SCRIPTED, House, body
from tests.upstream import Hang


def test_requests_that_hang_leave_room_for_other_organizations(house: House, nursery: Nursery) -> None:
    hangs = house.upstream.script(Hang())
    poison = make(house, house.tenant(), told(hangs, "hangs", 60))
    with nursery.worker(GATEWAY_BATCH_CONCURRENCY=30):
        held = len(house.upstream.received(hangs, count=20, timeout=10))
        assert held < 30
        all_ended(others(house, 20), 15)
        assert poison.progress["succeeded"] == 0
        poison.cancel()


def test_items_of_megabytes_that_hang_leave_memory_for_others(house: House, nursery: Nursery) -> None:
    hangs = house.upstream.script(Hang())
    large = [body(SCRIPTED, f"{hangs} {'many words ' * 50_000}")] * 50
    poison = make(house, house.tenant(), large)
    with nursery.worker():
        house.upstream.received(hangs, count=3, timeout=20)
        all_ended(others(house, 20), 20)
        poison.cancel()
