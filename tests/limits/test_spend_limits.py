"""Spend limits and prepaid credit over HTTP, with the official SDKs, real stores and a real drain."""

from __future__ import annotations

import asyncio
import datetime
import threading
import time
from collections import Counter

import anthropic
import openai
import pytest

from gateway.budgets import NANODOLLARS_A_CENT
from tests import upstream as provider
from tests.data_plane import wire
from tests.data_plane.house import CROSSING_BACK, Gateway, body
from tests.data_plane.wire import Answer
from tests.limits.spender import Spender, nanodollars_of, settle_in
from tests.outages.site import Site, until

pytestmark = pytest.mark.slow

CENT = NANODOLLARS_A_CENT
CASES = [
    ("organization", "daily"),
    ("organization", "weekly"),
    ("organization", "monthly"),
    ("workspace", "daily"),
    ("user", "weekly"),
    ("api_key", "monthly"),
]
WHOSE = {
    "organization": "your organization's",
    "workspace": "your workspace's",
    "user": "your",
    "api_key": "your API key's",
}


@pytest.fixture(scope="module")
def limited(site: Site) -> dict[tuple[str, str], Spender]:
    """Organizations with a limit of two cents, one for each case."""
    made = {case: _limited(site, *case) for case in CASES}
    return made


def _limited(site: Site, scope: str, period: str) -> Spender:
    spender = Spender(site)
    if scope == "organization":
        spender.limit(2, period)
    elif scope == "workspace":
        spender.limit(2, period, type="workspace", workspace_id=spender.tenant.workspace)
    elif scope == "user":
        spender.limit(2, period, type="user", user_id=spender.become_a_member())
    else:
        spender.limit_key(2, period)
    return spender


@pytest.mark.parametrize(("scope", "period"), CASES)
def test_what_does_not_fit_is_refused_until_the_reset(
    limited: dict[tuple[str, str], Spender], scope: str, period: str
) -> None:
    spender = limited[(scope, period)]
    client = spender.sdk()
    asked = spender.request(1.5)
    reached = len(spender.site.house.upstream.log)

    client.messages.create(**asked)
    began = time.monotonic()
    with pytest.raises(anthropic.RateLimitError) as refused:
        client.messages.create(**asked)
    took = time.monotonic() - began

    reset = _reset(period)
    response, error = refused.value.response, refused.value.body
    assert isinstance(error, dict)
    assert error["error"]["type"] == "billing_error"
    assert error["error"]["details"] == {"error_code": "enforced_spend_limit_reached"}
    assert error["error"]["message"] == (
        f"This request would exceed {WHOSE[scope]} {period} spend limit of $0.02. "
        f"The limit resets at {reset:%Y-%m-%d %H:%M} UTC."
    )
    assert response.headers["x-should-retry"] == "false"
    left = (reset - datetime.datetime.now(datetime.UTC)).total_seconds()
    assert int(response.headers["retry-after"]) == pytest.approx(left, abs=3)
    assert took < 3, "the SDK slept"
    assert len(spender.site.house.upstream.log) == reached + 1
    counted = client.messages.count_tokens(
        model=asked["model"], messages=[{"role": "user", "content": "Hello"}]
    )
    assert counted.input_tokens > 0  # costs nothing, and is never refused by a budget


def _reset(period: str) -> datetime.datetime:
    today = datetime.datetime.now(datetime.UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "daily":
        return today + datetime.timedelta(days=1)
    if period == "weekly":
        return today + datetime.timedelta(days=7 - today.weekday())
    return (today.replace(day=28) + datetime.timedelta(days=4)).replace(day=1)


def test_a_refusal_is_found_by_its_request_and_names_the_limit(
    limited: dict[tuple[str, str], Spender],
) -> None:
    spender = limited[("organization", "daily")]
    refused = spender.spend(50)
    assert refused.status == 429
    request_id = refused.header("request-id")
    took = until(lambda: bool(spender.blocks(request_id)), 10, "the refusal is not found")

    (block,) = spender.blocks(request_id)
    print(f"a refusal is found {took:.1f} s later")
    assert (block["kind"], block["scope"], block["limit"]) == ("spend_limit", {"type": "organization"}, 2)
    assert block["spend_limit_id"].startswith("spl_")


def test_openai_clients_are_told_that_their_quota_is_used_up(
    limited: dict[tuple[str, str], Spender],
) -> None:
    spender = limited[("organization", "weekly")]
    client = openai.OpenAI(api_key=spender.key, base_url=spender.site.house.base_url + "/v1")
    asked = spender.request(50)

    began = time.monotonic()
    with pytest.raises(openai.RateLimitError) as chat:
        client.chat.completions.create(
            model=asked["model"], messages=asked["messages"], max_completion_tokens=asked["max_tokens"]
        )
    with pytest.raises(openai.RateLimitError) as responses:
        client.responses.create(model=asked["model"], input="Hello", max_output_tokens=asked["max_tokens"])

    assert time.monotonic() - began < 5, "the SDK tried again"
    for refused in (chat.value, responses.value):
        assert (refused.code, refused.type) == ("insufficient_quota", "insufficient_quota")
        assert "weekly spend limit of $0.02" in refused.message


def test_a_hundred_at_once_never_pass_the_last_cent(site: Site, fleet: list[Gateway]) -> None:
    spender = Spender(site)
    spender.limit(30)
    raw = site.house.message(spender.request(1.5, pause=0.3), key=spender.key)
    most, done = [0], threading.Event()

    def watch() -> None:
        while not done.is_set():
            for counter in spender.counters().values():
                most[0] = max(most[0], counter.get("s", 0) + counter.get("r", 0))
            time.sleep(0.01)

    watching = threading.Thread(target=watch)
    watching.start()
    statuses = Counter(asyncio.run(_all_at_once([site.house.port, *(one.port for one in fleet)], raw, 100)))
    done.set()
    watching.join()
    spender.wait_for_ledger(statuses[200])

    print(
        f"{statuses}; at most {most[0] / CENT:.4f} cents spent and reserved; {spender.spent():.4f} in the ledger"
    )
    assert statuses == {200: 19, 429: 81}  # of 1.5 cents and some input each
    assert 28 * CENT < most[0] <= 30 * CENT
    assert 28 < spender.spent() <= 30
    until(spender.is_exact)


async def _all_at_once(ports: list[int], raw: bytes, number: int) -> list[int]:
    asked = [wire.ask(ports[n % len(ports)], raw, 30) for n in range(number)]
    return [answer.status for answer in await asyncio.gather(*asked)]


def test_a_new_limit_knows_what_was_spent_before_it_in_ledger_and_stream(site: Site) -> None:
    spender = Spender(site)
    for _ in range(2):
        assert spender.spend(1.5).status == 200
    spender.wait_for_ledger(2)
    site.drain.freeze()
    try:
        for _ in range(2):
            assert spender.spend(1.5).status == 200
        spender.limit(7)  # six are spent, three of them not in the ledger yet
        settle_in()
        statuses = [spender.spend(0.9).status, spender.spend(0.9).status]
        undrained = len(site.rows(spender.key_id))
        counted = spender.counter()["s"]
    finally:
        site.drain.thaw()
    spender.wait_for_ledger(5)

    assert undrained == 2
    assert statuses == [200, 429]
    assert counted == nanodollars_of(spender.spent())


def test_a_limit_that_is_made_while_requests_go_on_is_exact_afterwards(
    site: Site, fleet: list[Gateway]
) -> None:
    spender = Spender(site)
    answers: list[Answer] = []
    going = threading.Event()
    raws = [site.house.message(spender.request(cents / 100), key=spender.key) for cents in range(5, 45)]

    async def load() -> None:
        ports = [site.house.port, *(one.port for one in fleet)]

        async def lane(port: int) -> None:
            for raw in raws:
                answers.append(await wire.ask(port, raw))

        await asyncio.gather(*[lane(port) for port in ports for _ in range(2)])

    def run() -> None:
        asyncio.run(load())
        going.set()

    thread = threading.Thread(target=run)
    thread.start()
    until(lambda: len(answers) > 40, 20)
    spender.limit(10_000)
    at = len(answers)
    thread.join()
    served = sum(answer.status == 200 for answer in answers)
    spender.wait_for_ledger(served)

    print(f"limit made after {at} of {len(answers)} requests; {spender.spent():.4f} cents")
    assert served == len(answers)
    took = until(lambda: _asks(spender, site.house.port) and spender.is_exact(), 15)
    print(f"exact {took:.1f} s after the load, with what began before the limit was known")


def test_a_counter_that_something_corrupted_is_right_again(site: Site) -> None:
    spender = Spender(site)
    spender.limit(10)
    hasty = site.gateway("hasty", module="tests.limits.hasty_server")
    try:
        hasty.wait_until_ready()
        assert spender.spend(1.5, port=hasty.port).status == 200
        spender.wait_for_ledger(1)
        right = nanodollars_of(spender.spent())
        (key,) = spender.counters()
        for wrong in (0, 500 * CENT):
            site.house.valkey.hset(key, mapping={"s": wrong, "r": 3 * CENT, "a-dead-lease": 3 * CENT})
            took = until(lambda: _asks(spender, hasty.port) and spender.is_exact(), 15)
            print(f"{wrong / CENT:.0f} cents were right again after {took:.1f} s (audited each second)")
        assert spender.counter()["s"] >= right
        assert "a-dead-lease" not in spender.counter()
    finally:
        hasty.close()


def _asks(spender: Spender, port: int) -> bool:
    """Budgets are looked after while they are used."""
    spender.spend(0, port=port)
    time.sleep(0.2)
    return True


def test_without_valkey_each_process_spends_its_share_and_without_both_stores_nobody_spends(
    site: Site, fleet: list[Gateway]
) -> None:
    spender, other, busy = (Spender(site) for _ in range(3))
    for one in (spender, other, busy):
        one.limit(10)
    assert [one.spend(1.5).status for one in (spender, other, busy)] == [200] * 3
    for one in (spender, other, busy):
        one.wait_for_ledger(1)
    ports = [site.house.port, *(gateway.port for gateway in fleet)]
    until(lambda: all(site.replicas(port) == 4 for port in ports), 15, "not all are counted")
    for port in ports:  # each knows both keys
        assert other.spend(0, port=port).status == spender.spend(0, port=port).status == 200
    under_way = site.house.message(busy.request(1.5, pause=2), key=busy.key)
    holding = threading.Thread(target=site.house.ask, args=(under_way,))
    holding.start()
    until(lambda: busy.counter().get("r", 0) > 0)
    site.valkey.freeze()
    try:
        no_more = busy.spend(1.5).status
        alone = [[spender.spend(1.5, port=port).status for _ in range(2)] for port in ports]
        site.postgres.kill()
        try:
            nobody = other.spend(0.1)
            share_is_known = spender.spend(0.1)
        finally:
            site.postgres.start()
    finally:
        site.valkey.thaw()
    holding.join()
    for port in ports:
        until(lambda port=port: site.breaker(port) == 0, 10)  # type: ignore[misc]

    print(f"shares of a quarter of 8.5 cents: {alone}")
    assert alone == [[200, 429]] * 4  # 2.1 cents each, of which 1.5 fit once
    assert no_more == 429  # of 2.1 cents as much is reserved for what is under way
    assert nobody.status == 503 and nobody.json["error"]["type"] == "api_error"
    assert share_is_known.status == 200
    until(lambda: other.spend(0.1).status == 200, 10)
    until(lambda: nanodollars_of(spender.spent()) >= 7.5 * CENT, 30, "usage is not in the ledger")
    assert spender.spent() <= 10
    until(lambda: _asks(spender, site.house.port) and spender.is_exact(), 15)


def test_a_valkey_that_lost_everything_is_told_what_was_spent(site: Site) -> None:
    spender = Spender(site)
    spender.limit(4)
    for _ in range(2):
        assert spender.spend(1.5).status == 200
    spender.wait_for_ledger(2)
    site.valkey.kill(forget=True)
    site.valkey.start()
    until(lambda: site.breaker(site.house.port) == 0, 10, "Valkey is not seen again")

    statuses = [spender.spend(1.5).status, spender.spend(0.9).status]

    assert statuses == [429, 200]
    spender.wait_for_ledger(3)
    assert spender.counter()["s"] == nanodollars_of(spender.spent())


def test_prepaid_credit_is_used_up_and_added_to(site: Site) -> None:
    spender = Spender(site)
    operator = site.house.office.wish("operator_key")["secret"]
    platform = f"/platform/v1/organizations/{spender.tenant.id}"
    _platform(spender, operator, f"{platform}/credit", {"amount": "2"})
    _platform(spender, operator, platform, {"prepaid": True})

    first, refused = spender.spend(1.5), spender.spend(1.5)
    with pytest.raises(anthropic.APIStatusError) as told:
        spender.sdk().messages.create(**spender.request(1.5))
    openai_told = openai.OpenAI(api_key=spender.key, base_url=site.house.base_url + "/v1")
    with pytest.raises(openai.RateLimitError, match="credit balance is too low") as quota:
        openai_told.chat.completions.create(
            model="claude-scripted", messages=[{"role": "user", "content": "x"}], max_completion_tokens=9_000
        )
    _platform(spender, operator, f"{platform}/credit", {"amount": "2"})
    settle_in()
    again = spender.spend(1.5)

    assert (first.status, refused.status, again.status) == (200, 402, 200)
    assert refused.json["error"]["type"] == "billing_error"
    assert refused.header("x-should-retry") == "false"
    assert told.value.status_code == 402
    assert quota.value.code == "insufficient_quota"
    spender.wait_for_ledger(2)
    assert spender.counter()["s"] == nanodollars_of(spender.spent())


def _platform(spender: Spender, operator: str, path: str, asked: dict[str, object]) -> None:
    answer = spender.admin.post(path, json=asked, headers={"x-api-key": operator})
    assert answer.status_code == 200, answer.text


@pytest.mark.parametrize(("cents", "calls"), [(10, 1), (20, 2)])
def test_what_a_failed_attempt_cost_is_counted_before_the_next_one(
    site: Site, cents: int, calls: int
) -> None:
    """25,000 tokens of input are 7.5 cents; the first provider fails after it was sent them."""
    spender = Spender(site)
    spender.limit(cents)
    usage = {**provider.USAGE, "input_tokens": 25_000, "output_tokens": 1}
    chat = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "crossing-model",
        "choices": [{"index": 0, "message": {"role": "assistant", "content": "Hi"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": usage["input_tokens"], "completion_tokens": 1, "total_tokens": 25_001},
    }
    failing = provider.reply(200, b"no message, though it read all of it")
    script = site.house.upstream.scripts({"/v1/messages": failing, "/v1/chat": provider.reply(200, chat)})
    said = [{"role": "user", "content": f"Hello {script} " + "x" * 100_000}]

    answer = site.house.post({**body(CROSSING_BACK), "messages": said, "max_tokens": 1}, key=spender.key)

    assert len(site.house.upstream.received(script)) == calls
    assert answer.status == (200 if calls == 2 else 500), answer.body
    spender.wait_for_ledger(calls)
    until(spender.is_exact)
    assert spender.spent() <= cents
