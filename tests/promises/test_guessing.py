"""Guessing keys: malformed ones cost no query, and an address that goes on is refused."""

from __future__ import annotations

import asyncio
import secrets
import time
from collections import Counter

from gateway.credentials import PREFIXES, new_secret
from tests.data_plane.house import body
from tests.data_plane.wire import Answer, Wire
from tests.outages.site import Site

GUESSES = 1000
MALFORMED = [
    "x",
    PREFIXES["api"],
    PREFIXES["api"] + secrets.token_urlsafe(32),
    new_secret("api")[:-1],
    new_secret("api") + "A",
    new_secret("api").replace("api01", "api02"),
    new_secret("admin").replace("admin01", "api01"),
    new_secret("api").swapcase(),
    "sk-ant-api03-" + secrets.token_urlsafe(70),
    "\xe9" * 60,
    "A" * 30_000,
]


def test_a_malformed_key_is_judged_without_a_query(site: Site) -> None:
    """While PostgreSQL answers nothing, only a key that needs no query can be called wrong at once."""
    site.postgres.freeze()
    try:
        began = time.monotonic()
        answers = [site.house.post(body(), key=key, source=site.house.stranger()) for key in MALFORMED]
        seconds = time.monotonic() - began
    finally:
        site.postgres.thaw()

    print(f"\n{len(answers)} malformed keys judged in {seconds:.2f} s while PostgreSQL was frozen")
    assert [answer.status for answer in answers] == [401] * len(MALFORMED)
    assert max(answer.took for answer in answers) < 0.5


def test_an_address_may_guess_twenty_times_a_minute(site: Site) -> None:
    began = time.monotonic()
    answers = asyncio.run(_guess(site, GUESSES))
    seconds = time.monotonic() - began

    statuses = Counter(answer.status for answer in answers)
    print(f"\n{GUESSES} guesses from one address in {seconds:.1f} s: {dict(statuses)}")
    assert seconds < 60, "the minute is over"
    assert statuses == {401: 20, 429: GUESSES - 20}


async def _guess(site: Site, count: int) -> list[Answer]:
    wire = await Wire.connect(site.house.port, source=site.house.stranger())
    try:
        return [await wire.ask(site.house.message(body(), key=new_secret("api"))) for _ in range(count)]
    finally:
        wire.leave()
