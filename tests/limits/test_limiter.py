"""Admission and settlement against a real Valkey."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
import uuid

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.budgets import Budget, Budgets
from gateway.limiters import Amounts
from gateway.limits import headers
from gateway.limits.admission import Admission, Refusal
from gateway.limits.limiter import SCRIPTS, Limiter
from gateway.limits.local import LocalLimiter, Share
from gateway.scopes import Pool, places_of
from gateway.shards import shard_of, usage_stream
from gateway.supervisor.valkey import Valkey
from gateway.valkey import Valkey as Connected
from gateway.valkey import ValkeyUnavailable
from tests.limits.pools import ACME, UMBRELLA, pool, scope

NOTHING = Amounts()


def lease() -> str:
    return str(uuid.uuid4())


def tokens(read: int, written: int) -> Amounts:
    return Amounts(input_tokens=read, output_tokens=written)


def refused(admission: Admission) -> Refusal:
    assert isinstance(admission.refusal, Refusal)
    return admission.refusal


async def test_requests_are_admitted_up_to_the_limit_and_no_further(limiter: Limiter) -> None:
    limits = pool(scope(requests=50))
    answers = [await limiter.admit(limits, lease(), tokens(1, 1)) for _ in range(51)]
    assert [answer.admitted for answer in answers] == [True] * 50 + [False]
    error = refused(answers[-1]).error()
    assert error.message == (
        "This request would exceed your organization's rate limit of 50 requests per minute "
        "(requests_per_minute). Please try again later."
    )
    assert error.headers == {"retry-after": "2"}


async def test_waiting_as_long_as_told_is_enough(limiter: Limiter) -> None:
    limits = pool(scope(requests=600, tokens=6000))
    while (answer := await limiter.admit(limits, lease(), tokens(50, 50))).admitted:
        pass
    await asyncio.sleep((refused(answer).wait_ms or 0) / 1000)
    assert (await limiter.admit(limits, lease(), tokens(50, 50))).admitted


async def test_all_scopes_admit_or_none(limiter: Limiter) -> None:
    wide, narrow = scope(requests=100), scope(requests=1, kind="api_key")
    assert (await limiter.admit(pool(wide, narrow), lease(), NOTHING)).admitted
    assert refused(await limiter.admit(pool(wide, narrow), lease(), NOTHING)).scope == narrow
    alone = await limiter.admit(pool(wide), lease(), NOTHING)
    assert alone.states[0].remaining[0] == 98  # the refused one took nothing from the wide scope


async def test_each_pool_counts_for_itself(limiter: Limiter) -> None:
    opus, haiku = (scope(requests=1, kind=kind) for kind in ("opus", "haiku"))
    assert (await limiter.admit(pool(opus, name="opus"), lease(), NOTHING)).admitted
    assert not (await limiter.admit(pool(opus, name="opus"), lease(), NOTHING)).admitted
    assert (await limiter.admit(pool(haiku, name="haiku"), lease(), NOTHING)).admitted


@pytest.mark.parametrize(
    ("limits", "amounts"),
    [
        ({"input_tokens_per_minute_cache_aware": 100}, tokens(60, 0)),
        ({"tokens_per_day": 100}, tokens(30, 30)),
        ({"tool_uses_per_second": 1}, Amounts(tool_uses=1)),
        ({"fast_itpmca": 100}, Amounts(input_tokens=60, fast=True)),
        ({"fast_otpm": 100}, Amounts(output_tokens=60, fast=True)),
    ],
)
async def test_every_kind_of_limit_refuses_by_its_name(
    limiter: Limiter, limits: dict[str, int], amounts: Amounts
) -> None:
    limited = pool(scope(**limits))
    assert (await limiter.admit(limited, lease(), amounts)).admitted
    assert refused(await limiter.admit(limited, lease(), amounts)).limit == next(iter(limits))


async def test_limits_of_the_fast_mode_are_those_of_fast_requests(limiter: Limiter) -> None:
    limits = pool(scope(fast_otpm=100))
    for _ in range(3):
        assert (await limiter.admit(limits, lease(), tokens(0, 90))).admitted


async def test_a_wait_of_hours_is_no_reason_to_try_again(limiter: Limiter) -> None:
    limits = pool(scope(tokens_per_day=1_000))
    assert (await limiter.admit(limits, lease(), tokens(0, 1_000))).admitted
    error = refused(await limiter.admit(limits, lease(), tokens(0, 500))).error()
    assert error.headers["x-should-retry"] == "false"
    assert 43_000 <= int(error.headers["retry-after"]) <= 43_200


async def test_concurrent_admissions_never_exceed_the_limit(limiter: Limiter) -> None:
    limits = pool(scope(requests=100, concurrent=30))
    answers = await asyncio.gather(*[limiter.admit(limits, lease(), NOTHING) for _ in range(500)])
    assert sum(answer.admitted for answer in answers) == 30


async def test_a_settled_request_frees_its_place(limiter: Limiter) -> None:
    limits = pool(scope(concurrent=1))
    first = await limiter.admit(limits, lease(), NOTHING)
    waiting = refused(await limiter.admit(limits, lease(), NOTHING))
    assert (waiting.limit, waiting.oldest) == ("concurrent_requests", first.lease)
    limiter.settle(first, NOTHING)
    assert (await limiter.admit(limits, lease(), NOTHING)).admitted


async def test_a_crash_leaks_no_place(limiter: Limiter, valkey: redis.Redis) -> None:
    limits = pool(scope(concurrent=1))
    await limiter.admit(limits, lease(), NOTHING)
    key = places_of(limits.scopes[0])
    seconds, _ = valkey.time()
    assert 0 < valkey.zrange(key, 0, 0, withscores=True)[0][1] - seconds * 1000 <= 92_000
    valkey.zadd(key, {valkey.zrange(key, 0, 0)[0]: seconds * 1000 - 1})  # as if its deadline had passed
    assert (await limiter.admit(limits, lease(), NOTHING)).admitted


async def test_what_was_reserved_and_not_used_comes_back(limiter: Limiter) -> None:
    limits = pool(scope(tokens=100_000, input_tokens=50_000, output_tokens=50_000))
    admission = await limiter.admit(limits, lease(), tokens(10_000, 20_000))
    assert admission.states[0].remaining == (70_000, 40_000, 30_000)
    await limiter.settle(admission, tokens(1_000, 2_000))
    after = await limiter.admit(limits, lease(), NOTHING)
    assert after.states[0].remaining[0] == pytest.approx(97_000, abs=600)
    assert after.states[0].remaining[1] == pytest.approx(49_000, abs=300)


async def test_settling_twice_gives_back_once(limiter: Limiter) -> None:
    limits = pool(scope(tokens=100_000))
    admission = await limiter.admit(limits, lease(), tokens(0, 50_000))
    await limiter.settle(admission, tokens(0, 40_000))
    await limiter.settle(admission, tokens(0, 40_000))
    after = await limiter.admit(limits, lease(), NOTHING)
    assert after.states[0].remaining[0] == pytest.approx(60_000, abs=600)


async def test_a_bucket_may_go_into_debt_and_refuses_until_it_is_paid_back(limiter: Limiter) -> None:
    limits = pool(scope(tokens=60_000))
    admission = await limiter.admit(limits, lease(), tokens(100, 100))
    await limiter.settle(admission, tokens(100, 90_000))
    refusal = refused(await limiter.admit(limits, lease(), tokens(100, 100)))
    assert refusal.limit == "tokens_per_minute"
    assert refusal.wait_ms == pytest.approx(30_300, abs=200)  # 30,100 tokens of debt and 200 wanted


async def test_no_reservation_is_larger_than_the_bucket(limiter: Limiter) -> None:
    limits = pool(scope(tokens=1_000))
    admission = await limiter.admit(limits, lease(), tokens(500, 64_000))
    assert admission.admitted
    assert admission.states[0].remaining[0] == 0


async def test_where_the_worst_case_is_reserved_what_no_bucket_can_hold_is_refused_for_good(
    limiter: Limiter,
) -> None:
    limits = pool(scope(tokens=1_000))
    error = refused(await limiter.admit(limits, lease(), tokens(500, 64_000), strict=True)).error()
    assert error.headers == {"x-should-retry": "false"}
    assert error.message == (
        "This request alone may take 64,500, more than your organization's rate limit of 1,000 tokens per minute "
        "(tokens_per_minute) ever allows."
    )
    assert (await limiter.admit(limits, lease(), tokens(500, 500), strict=True)).admitted


async def test_two_organizations_never_meet(limiter: Limiter) -> None:
    acme = pool(scope(requests=1))
    umbrella = pool(scope(requests=1, tenant=UMBRELLA), tenant=UMBRELLA)
    assert (await limiter.admit(acme, lease(), NOTHING)).admitted
    assert (await limiter.admit(umbrella, lease(), NOTHING)).admitted


async def test_every_key_in_valkey_names_its_organization(limiter: Limiter, valkey: redis.Redis) -> None:
    limits = pool(scope(requests=5, tokens=50, concurrent=2))
    admission = await limiter.admit(limits, lease(), tokens(1, 1))
    during = {key.decode() for key in valkey.scan_iter()}
    await limiter.settle(admission, tokens(1, 2), b"event")
    after = {key.decode() for key in valkey.scan_iter()}
    bucket = f"gw:{{14}}:limit:{ACME}:default:organization:organization_1"
    assert during == {bucket, f"{bucket}:places", f"gw:{{14}}:open:{ACME}"}
    assert after == {bucket, usage_stream(shard_of(ACME))}


async def test_headers_tell_the_tightest_scope(limiter: Limiter) -> None:
    limits = pool(scope(requests=100, tokens=1_000), scope(requests=10, kind="workspace"))
    admission = await limiter.admit(limits, lease(), tokens(100, 100))
    shown = dict(headers.of(admission))
    assert shown[b"anthropic-ratelimit-requests-limit"] == b"10"
    assert shown[b"anthropic-ratelimit-requests-remaining"] == b"9"
    assert shown[b"anthropic-ratelimit-tokens-remaining"] == b"800"
    reset = time.strptime(shown[b"anthropic-ratelimit-tokens-reset"].decode(), "%Y-%m-%dT%H:%M:%SZ")
    assert set(shown) == {
        b"anthropic-ratelimit-%b-%b" % (name, part)
        for name in (b"requests", b"tokens")
        for part in (b"limit", b"remaining", b"reset")
    }
    assert 0 <= _epoch(reset) - time.time() <= 13


def _epoch(moment: time.struct_time) -> float:
    return time.mktime(moment) - time.timezone


async def test_cancelled_callers_leave_no_place_taken_and_get_nobody_elses_answer(limiter: Limiter) -> None:
    """5,000 admissions cancelled at random moments: each that gets an answer gets its own."""
    randomly = random.Random(7)
    limits = pool(scope(requests=1_000_000, concurrent=100_000))

    async def ask(number: int) -> None:
        mine = f"{number}"
        admission = await limiter.admit(limits, mine, tokens(number, 0))
        assert (admission.lease, admission.amounts.input_tokens) == (mine, number)
        echoed = await limiter.valkey.command("ECHO", mine)
        assert echoed == mine.encode()
        limiter.settle(admission, NOTHING)

    for start in range(0, 5_000, 100):
        tasks = [asyncio.create_task(ask(number)) for number in range(start, start + 100)]
        for task in randomly.sample(tasks, 50):
            asyncio.get_running_loop().call_later(randomly.random() / 500, task.cancel)
        results = await asyncio.gather(*tasks, return_exceptions=True)
        unexpected = [
            one for one in results if one is not None and not isinstance(one, asyncio.CancelledError)
        ]
        assert unexpected == []
    # A task cancelled between its admission and its settlement is the exchange's to settle; the rest is free.
    held = int(await limiter.valkey.command("ZCARD", places_of(limits.scopes[0])))
    assert held == limiter.open_leases


async def test_valkey_that_says_nothing_costs_one_tenth_of_a_second_once(
    limiter: Limiter, valkey_server: Valkey, valkey: redis.Redis
) -> None:
    limits = pool(scope(requests=3))
    pid = int(valkey.info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        started = time.perf_counter()
        first = await limiter.admit(limits, lease(), NOTHING)
        assert time.perf_counter() - started < 0.2
        started = time.perf_counter()
        rest = [await limiter.admit(limits, lease(), NOTHING) for _ in range(3)]
        assert time.perf_counter() - started < 0.01
    finally:
        os.kill(pid, signal.SIGCONT)
    assert first.local and all(answer.local for answer in rest)
    assert [answer.admitted for answer in (first, *rest)] == [True, True, True, False]
    await _until_back(limiter)
    assert not (await limiter.admit(pool(scope(requests=9, kind="x")), lease(), NOTHING)).local


async def test_what_was_granted_without_valkey_is_taken_from_it_when_it_is_back(
    limiter: Limiter, valkey: redis.Redis
) -> None:
    limits = pool(scope(requests=60, concurrent=10))
    await limiter.admit(limits, lease(), NOTHING)
    pid = int(valkey.info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        alone = [await limiter.admit(limits, lease(), NOTHING) for _ in range(8)]
    finally:
        os.kill(pid, signal.SIGCONT)
    assert all(answer.admitted for answer in alone)
    await _until_back(limiter)

    after = await limiter.admit(limits, lease(), NOTHING)

    assert after.states[0].remaining[0] == pytest.approx(60 - 10, abs=2)
    assert after.states[0].held == 9  # those before it
    for answer in alone:
        await limiter.settle(answer, NOTHING)
    assert (await limiter.admit(limits, lease(), NOTHING)).states[0].held == 2


async def test_a_settlement_that_valkey_did_not_hear_is_told_when_it_is_back(
    limiter: Limiter, valkey: redis.Redis
) -> None:
    limits = pool(scope(tokens=60_000, concurrent=1))
    held = await limiter.admit(limits, lease(), tokens(0, 50_000))
    pid = int(valkey.info("server")["process_id"])
    os.kill(pid, signal.SIGSTOP)
    try:
        with pytest.raises(Exception, match="lost"):
            await limiter.settle(held, tokens(0, 100))
    finally:
        os.kill(pid, signal.SIGCONT)
    await _until_back(limiter)

    after = await limiter.admit(limits, lease(), NOTHING)

    assert after.admitted
    assert after.states[0].remaining[0] > 59_000


async def test_what_a_failed_attempt_cost_is_never_taken_for_sent_without_valkey() -> None:
    """Whether what is reserved still fits or not: the event has to wait in the journal."""
    nowhere = Limiter(Connected("unix:///nowhere/valkey.sock", SCRIPTS))
    (counter,) = Budgets(ACME, (Budget("spl_1", "organization", str(ACME), "daily", 1_000),)).counters(0)
    nowhere.local.shares[counter.key] = Share(100)
    admission = await nowhere.admit(pool(scope()), lease(), NOTHING, counters=(counter,), cost=60)
    assert admission.admitted and admission.local

    for cost, fits in ((40, True), (1, False)):
        with pytest.raises(ValkeyUnavailable):
            await nowhere.charge(admission, b"event", cost=cost, attempt_id=uuid.uuid4())
        assert admission.fits == fits


async def test_each_of_several_processes_grants_its_part_of_a_limit_without_valkey() -> None:
    local = LocalLimiter()
    local.processes = 4
    limits = pool(scope(requests=10))

    granted = [local.admit(limits, lease(), NOTHING, (), 0, strict=False).admitted for _ in range(5)]

    assert granted == [True, True, False, False, False]  # two and a half


async def test_scripts_that_valkey_forgot_are_loaded_again(limiter: Limiter, valkey: redis.Redis) -> None:
    valkey.script_flush()
    limits = pool(scope(requests=9))
    assert (await limiter.admit(limits, lease(), NOTHING)).local
    for _ in range(100):
        if limiter.valkey.available and not (await limiter.admit(limits, lease(), NOTHING)).local:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("the scripts never came back")


async def test_wrong_keys_are_counted_by_address(limiter: Limiter) -> None:
    assert [await limiter.guesses("192.0.2.1") for _ in range(3)] == [1, 2, 3]
    assert await limiter.guesses("192.0.2.2") == 1


# What a busy machine may put between the two answers to one step.
SLACK_MS = 1_500

steps = st.lists(
    st.tuples(
        st.sampled_from(["admit", "settle"]),
        st.integers(0, 3_000),
        st.integers(0, 3_000),
    ),
    max_size=25,
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=steps, sizes=st.tuples(*[st.integers(0, 5_000)] * 4, st.integers(0, 4)), strict=st.booleans())
async def test_the_script_and_the_local_limiter_agree(
    limiter: Limiter,
    valkey: redis.Redis,
    steps: list[tuple[str, int, int]],
    sizes: tuple[int, int, int, int, int],
    strict: bool,
) -> None:
    """The same steps, the same answers; time passes alike for both, so levels differ by what refills meanwhile."""
    valkey.flushdb()
    local = LocalLimiter()
    requests, both, read, written, concurrent = sizes
    limits = pool(
        scope(requests=requests, tokens=both, input_tokens=read, output_tokens=written, concurrent=concurrent)
    )
    held = []
    for kind, first, second in steps:
        if kind == "admit" or not held:
            mine, amounts = lease(), tokens(first, second)
            theirs = await limiter.admit(limits, mine, amounts, strict=strict)
            ours = local.admit(limits, mine, amounts, (), 0, strict=strict)
            _assert_alike(theirs.states[0].remaining, ours.states[0].remaining, limits)
            if theirs.admitted and ours.admitted:
                held.append((theirs, ours))
            elif not _close(theirs) and not _close(ours):
                assert theirs.admitted == ours.admitted
            else:
                return  # decided by a few milliseconds of refill: from here on the two may differ
        else:
            theirs, ours = held.pop()
            await limiter.settle(theirs, tokens(first, second))
            local.settle(ours, tokens(first, second), 0)


def _close(admission: Admission) -> bool:
    refusal = admission.refusal
    return isinstance(refusal, Refusal) and refusal.wait_ms is not None and refusal.wait_ms < SLACK_MS


def _assert_alike(theirs: tuple[int, ...], ours: tuple[int, ...], limits: Pool) -> None:
    for n, size in enumerate(limits.sizes(limits.scopes[0])):
        assert theirs[n] == pytest.approx(ours[n], abs=2 + size * SLACK_MS / 60_000)


async def _until_back(limiter: Limiter) -> None:
    for _ in range(100):
        if limiter.valkey.available:
            return
        await asyncio.sleep(0.05)
    raise AssertionError("Valkey is not seen again")
