"""The limiter against a model of thirty lines, on Valkey's own clock.

Each reply and each bucket says at which moment the script ran, so that the model needs no clock. Time passes by moving
what Valkey has stored into the past.
"""

from __future__ import annotations

import dataclasses
import uuid

import pytest
import redis
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gateway.limiters import LIMITERS, Amounts
from gateway.limits.admission import Admission
from gateway.limits.limiter import Limiter
from gateway.scopes import Pool, Scope, places_of
from tests.limits.pools import pool, scope

ROUNDING = 0.002  # levels are stored to a thousandth
WINDOW_MS = 60_000
LEASE_MS = 90_000


@dataclasses.dataclass
class Held:
    admission: Admission
    reserved: list[int]


@dataclasses.dataclass
class Model:
    """One scope: buckets that refill continuously, and places that end by themselves."""

    sizes: list[int]
    places: int
    strict: bool
    at: float = 0.0
    levels: list[float] = dataclasses.field(default_factory=list)
    leases: dict[str, float] = dataclasses.field(default_factory=dict)
    overdrawn: int = 0  # by what was in flight at the last admission, at most

    def refill(self, now: float) -> None:
        self.levels = self.levels or [float(size) for size in self.sizes]
        passed, self.at = max(0.0, now - (self.at or now)), max(now, self.at)
        self.levels = [
            min(size, level + passed * size / WINDOW_MS)
            for size, level in zip(self.sizes, self.levels, strict=True)
        ]
        self.leases = {lease: until for lease, until in self.leases.items() if until > now}

    def admits(self, amounts: list[int]) -> tuple[bool, bool]:
        """Whether it does, and whether that is so close that rounding may decide otherwise."""
        wants = [(min(amount, size), level) for amount, size, level in self._of(amounts)]
        too_large = self.strict and any(amount > size for amount, size, _ in self._of(amounts))
        room = not self.places or len(self.leases) < self.places
        fits = all(level >= want for want, level in wants if want)
        close = any(abs(level - want) < ROUNDING * 20 for want, level in wants if want)
        return room and fits and not too_large, close and room and not too_large

    def take(self, lease: str, amounts: list[int], now: float) -> None:
        self.levels = [level - min(amount, size) for amount, size, level in self._of(amounts)]
        self.leases |= {lease: now + LEASE_MS} if self.places else {}
        self.overdrawn = 0

    def settle(self, held: Held, actual: list[int]) -> None:
        back = [min(a, size) - b for a, b, size in zip(held.reserved, actual, self.sizes, strict=True)]
        self.levels = [
            min(size, level + more) for size, level, more in zip(self.sizes, self.levels, back, strict=True)
        ]
        self.leases.pop(held.admission.lease, None)
        self.overdrawn += max(0, -min(back))

    def _of(self, amounts: list[int]) -> list[tuple[int, int, float]]:
        return list(zip(amounts, self.sizes, self.levels, strict=True))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["admit", "admit", "settle", "wait"]), st.integers(0, 900), st.integers(0, 900)
    ),
    min_size=5,
    max_size=40,
)
LIMITS = st.tuples(st.integers(1, 20), st.integers(100, 3_000), st.integers(100, 3_000), st.integers(0, 4))


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(steps=STEPS, limits=LIMITS, strict=st.booleans(), honest=st.booleans())
async def test_every_answer_and_level_is_the_models(
    limiter: Limiter,
    valkey: redis.Redis,
    steps: list[tuple[str, int, int]],
    limits: tuple[int, int, int, int],
    strict: bool,
    honest: bool,
) -> None:
    """`honest` requests use at most what was reserved for them: then nothing is ever overdrawn."""
    valkey.flushdb()
    requests, both, written, places = limits
    only = scope(requests=requests, tokens=both, output_tokens=written, concurrent=places)
    limited = pool(only)
    model = Model([only.sizes[n] for n in limited.used], places, strict)
    held: list[Held] = []
    for kind, first, second in steps:
        if kind == "wait":
            _let_pass(valkey, only, limited, (first + second) * 40, model)
        elif kind == "admit" or not held:
            if not await _admit(limiter, limited, model, held, Amounts(first, second)):
                return  # decided by rounding: from here on the two may differ
        else:
            one = held.pop(first % len(held))
            if one.admission.lease not in model.leases and places:
                continue  # it was over; what a lease that ended costs is another test's matter
            actual = _actual(one, first, second, honest)
            await limiter.settle(one.admission, actual)
            model.refill(_clock(valkey, only, model.at))
            model.settle(one, [actual.by_limiter()[n] for n in limited.used])
            if honest and strict:
                assert min(model.levels) >= -ROUNDING * len(steps)
            assert min(model.levels) >= -model.overdrawn - ROUNDING * len(steps)
        _assert_stored(valkey, only, limited, model, len(steps))


async def _admit(limiter: Limiter, limited: Pool, model: Model, held: list[Held], amounts: Amounts) -> bool:
    lease = str(uuid.uuid4())
    answer = await limiter.admit(limited, lease, amounts, strict=model.strict)
    assert not answer.local
    model.refill(answer.now_ms)
    needed = [amounts.by_limiter()[n] for n in limited.used]
    admits, close = model.admits(needed)
    if close:
        return False
    assert answer.admitted == admits
    if admits:  # a debt is paid back before anything is granted
        assert min(model.levels) >= 0
        model.take(lease, needed, answer.now_ms)
        held.append(Held(answer, needed))
    assert answer.states[0].remaining == pytest.approx(model.levels, abs=1.01)
    return True


def _actual(held: Held, first: int, second: int, honest: bool) -> Amounts:
    reserved = held.admission.amounts
    if honest:
        return Amounts(min(first, reserved.input_tokens), min(second, reserved.output_tokens))
    return Amounts(first, second)


def _let_pass(valkey: redis.Redis, only: Scope, limited: Pool, ms: int, model: Model) -> None:
    """What is stored is so much older now."""
    if valkey.exists(only.key):
        valkey.hincrby(only.key, "at", -ms)
        model.at -= ms
    for lease in model.leases:
        valkey.zincrby(places_of(only), -ms, lease)
        valkey.zincrby(limited.open_key, -ms, lease)
        model.leases[lease] -= ms


def _clock(valkey: redis.Redis, only: Scope, otherwise: float) -> float:
    """When the bucket was last written; it is not where nothing changed."""
    stored = valkey.hget(only.key, "at")
    return otherwise if stored is None else float(stored)


def _assert_stored(valkey: redis.Redis, only: Scope, limited: Pool, model: Model, steps: int) -> None:
    stored = valkey.hgetall(only.key)
    for n, value in zip(limited.used, model.levels, strict=bool(model.levels)):
        field = LIMITERS[n].field.encode()
        if field in stored and float(stored[b"at"]) == model.at:
            assert float(stored[field]) == pytest.approx(value, abs=ROUNDING * steps)
    assert valkey.zcard(places_of(only)) >= len(model.leases)
