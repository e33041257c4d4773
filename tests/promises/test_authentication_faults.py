"""Whatever fails on the way from a key to its holder, nobody becomes a holder, and nobody is called a liar."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter

import pytest

from gateway.credentials import new_secret
from gateway.directory.change import CHANNEL
from tests import upstream as provider
from tests.data_plane.house import Gateway, Tenant, body
from tests.data_plane.wire import Answer, ask
from tests.outages.site import Site

# As `faulty_server.py` has them; importing it would start a gateway here.
POINTS = [
    "authenticate",
    "secret",
    "shape",
    "digest",
    "cached",
    "find",
    "read",
    "remember",
    "principal",
    "rows",
    "ask",
    "row",
    "refusal",
    "guesses",
    "usable",
    "workspace",
]
FAULTS = [
    "RuntimeError",
    "KeyError",
    "ValueError",
    "TypeError",
    "AttributeError",
    "LookupError",
    "OSError",
    "ConnectionResetError",
    "TimeoutError",
    "MemoryError",
    "RecursionError",
    "AssertionError",
    "StopAsyncIteration",
    "EOFError",
    "CancelledError",
    "OperationalError",
    "InterfaceError",
    "DataError",
    "ProgrammingError",
    "QueryCanceled",
    "AdminShutdown",
    "PoolTimeout",
    "PoolClosed",
    "TooManyRequests",
    "ValidationError",
    "ProtocolError",
    "StoreUnavailable",
    "ValkeyUnavailable",
]


@pytest.mark.parametrize("point", POINTS)
def test_a_fault_in_authentication_makes_nobody_a_holder(site: Site, faulty: Gateway, point: str) -> None:
    script = site.house.upstream.script(provider.reply(200, provider.message()))
    fault, tenant = site.folder / "faulty" / "fault", site.house.tenant()
    seen: Counter[tuple[str, int]] = Counter()
    wrong = []
    for what in FAULTS:
        fault.write_text(f"{point} {what}")
        keys = {"unknown": new_secret("api"), "malformed": "sk-gw-api01-x", "none": ""}
        for name, answer in zip(keys, _ask(site, faulty, script, *keys.values()), strict=True):
            seen[name, answer.status] += 1
            if not _refused(answer):
                wrong.append((what, name, answer.status, answer.body[:200]))
        _forget(site, tenant)
        (answer,) = _ask(site, faulty, script, tenant.key)
        seen["valid", answer.status] += 1
        if answer.status == 401 or (answer.status != 200 and not _refused(answer)):
            wrong.append((what, "valid", answer.status, answer.body[:200]))
        fault.unlink()

    print(f"\n{point}: {dict(sorted(seen.items()))}")
    assert wrong == []
    assert [answer.status for answer in _ask(site, faulty, script, site.house.key)] == [200]
    assert len(site.house.upstream.received(script)) == seen["valid", 200] + 1


def _refused(answer: Answer) -> bool:
    """An error in the envelope: 401 for a key that is certainly wrong, else the gateway's own trouble."""
    if answer.status not in (401, 429, 500, 503):
        return False
    said = json.loads(answer.body)
    return said["type"] == "error" and said["request_id"] == answer.header("request-id")


def _forget(site: Site, tenant: Tenant) -> None:
    """Make every process forget the tenant's key: its next use reads it from Postgres."""
    site.house.valkey.publish(CHANNEL, json.dumps({"kind": "organization", "subject": tenant.id}))
    time.sleep(0.01)


def _ask(site: Site, gateway: Gateway, script: str, *keys: str) -> list[Answer]:
    """With each of the keys at once, from addresses that have not been seen."""

    async def all_at_once() -> list[Answer]:
        asked = (site.house.message(body(script=script), key=key) for key in keys)
        return await asyncio.gather(*(ask(gateway.port, raw, source=site.house.stranger()) for raw in asked))

    return asyncio.run(all_at_once())
