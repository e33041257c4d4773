"""A spool at its bound while Valkey is away: refused loudly, nothing lost, well again by itself."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.data_plane.house import Gateway, body
from tests.data_plane.wire import Answer, ask_all
from tests.event_loop_thread import EventLoopThread
from tests.outages.site import Site, spooled_bytes, until

# As long as the ledger takes them, so that a megabyte is full after a thousand requests.
LONG_WORDS = [("user-agent", "x" * 200), ("x-claude-code-session-id", "x" * 200)]


def test_a_full_spool_refuses_requests_loudly_and_loses_nothing(site: Site) -> None:
    gateway, tenant = site.gateway("full", GATEWAY_SPOOL_MAX_MB="1"), site.house.tenant()
    try:
        gateway.wait_until_ready()
        assert [answer.status for answer in _ask(site, gateway, tenant.key, 2)] == [200, 200]
        site.valkey.freeze()
        try:
            frozen = time.monotonic()
            answers = _fill_up(site, gateway, tenant.key)
            full, seconds = spooled_bytes(site.folder / "full"), time.monotonic() - frozen
        finally:
            site.valkey.thaw()
        back = until(lambda: _ask(site, gateway, tenant.key, 1)[0].status == 200, 5, "still refusing")
        until(lambda: spooled_bytes(site.folder / "full") == 0, 15, "the spool was not replayed")
        served = 3 + sum(answer.status == 200 for answer in answers)
        written = until(lambda: len(site.rows(tenant.key_id)) >= served, 20, "rows are missing")
    finally:
        gateway.close()

    refused = [answer for answer in answers if answer.status != 200]
    print(
        f"\nspool full at {full} bytes after {served} answers in {seconds:.1f} s, then {len(refused)} refused; "
        f"well {back:.1f} s after Valkey, all rows {written:.1f} s after that"
    )
    assert len(site.rows(tenant.key_id)) == served
    assert full < 1 << 20
    for answer in refused:
        assert (answer.status, answer.json["error"]["type"]) == (503, "api_error")
        assert answer.json["request_id"] == answer.header("request-id")
    alarms = [line for line in _lines(gateway.log) if line["event"] == "usage_spool_full"]
    assert {line["level"] for line in alarms} == {"critical"}
    assert len(alarms) <= seconds + 1, "more than one alarm a second"
    assert not [line for line in _lines(gateway.log) if line["event"] == "usage_event_lost"]


def _fill_up(site: Site, gateway: Gateway, key: str) -> list[Answer]:
    answers: list[Answer] = []
    while all(answer.status == 200 for answer in answers):
        assert len(answers) < 4000, "never full"
        answers += _ask(site, gateway, key, 100)
    return answers


def _ask(site: Site, gateway: Gateway, key: str, count: int) -> list[Answer]:
    raw = site.house.message(body(), key=key, headers=LONG_WORDS)
    thread = EventLoopThread("filling")
    try:
        return thread.run(ask_all(gateway.port, [raw] * count, at_once=min(count, 8)))
    finally:
        thread.stop()


def _lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
