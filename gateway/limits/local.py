"""The limiter of last resort: the same buckets in this process alone, while Valkey is away.

It keeps the gateway answering and abuse bounded, not exact: each process grants the limit once.
"""

from __future__ import annotations

import time
from collections import OrderedDict

from gateway.limits.admission import Admission, Refusal, ScopeState
from gateway.principal import LIMITS, Scope

CAPACITY = 10_000


class _State:
    __slots__ = ("at", "leases", "levels")

    def __init__(self, scope: Scope, now: float) -> None:
        self.at = now
        self.levels = [float(size) for size in scope.limits[:4]]
        self.leases: set[str] = set()

    def refill(self, scope: Scope, now: float) -> None:
        elapsed, self.at = max(0.0, now - self.at), now
        for n, size in enumerate(scope.limits[:4]):
            self.levels[n] = min(float(size), self.levels[n] + elapsed * size / 60)


class LocalLimiter:
    """`admit` and `settle` as the scripts do it, without I/O."""

    def __init__(self) -> None:
        self._states: OrderedDict[str, _State] = OrderedDict()

    def admit(
        self, scopes: tuple[Scope, ...], lease: str, input_tokens: int, output_tokens: int
    ) -> Admission:
        now = time.monotonic()
        states = [self._state(scope, now) for scope in scopes]
        needed = (1, input_tokens + output_tokens, input_tokens, output_tokens)
        refusal = _worst(
            [_refusal(scope, state, needed) for scope, state in zip(scopes, states, strict=True)]
        )
        if refusal is None:
            for scope, state in zip(scopes, states, strict=True):
                state.leases.add(lease)
                for n, size in enumerate(scope.limits[:4]):
                    state.levels[n] -= min(needed[n], size)
        return Admission(
            lease=lease,
            scopes=scopes,
            input_tokens=input_tokens,
            output_tokens=output_tokens,
            now_ms=time.time_ns() // 1_000_000,
            states=tuple(
                ScopeState(scope, _whole(state.levels), len(state.leases))
                for scope, state in zip(scopes, states, strict=True)
            ),
            refusal=refusal,
            local=True,
        )

    def settle(self, admission: Admission, input_tokens: int, output_tokens: int) -> None:
        reserved = (
            1,
            admission.input_tokens + admission.output_tokens,
            admission.input_tokens,
            admission.output_tokens,
        )
        actual = (1, input_tokens + output_tokens, input_tokens, output_tokens)
        for scope in admission.scopes:
            state = self._states.get(scope.key)
            if state is None or admission.lease not in state.leases:
                continue
            state.leases.discard(admission.lease)
            for n, size in enumerate(scope.limits[:4]):
                if size:
                    state.levels[n] = min(float(size), state.levels[n] + min(reserved[n], size) - actual[n])

    def _state(self, scope: Scope, now: float) -> _State:
        state = self._states.get(scope.key)
        if state is None:
            state = self._states[scope.key] = _State(scope, now)
            if len(self._states) > CAPACITY:
                self._states.popitem(last=False)
        self._states.move_to_end(scope.key)
        state.refill(scope, now)
        return state


def _refusal(scope: Scope, state: _State, needed: tuple[int, int, int, int]) -> Refusal | None:
    refusals = [
        Refusal(scope, LIMITS[n], round((min(needed[n], size) - state.levels[n]) * 60_000 / size))
        for n, size in enumerate(scope.limits[:4])
        if size and state.levels[n] < min(needed[n], size) - 1e-6
    ]
    if scope.limits[4] and len(state.leases) >= scope.limits[4]:
        refusals.append(Refusal(scope, LIMITS[4], 1000))
    return _worst(refusals)


def _worst(refusals: list[Refusal] | list[Refusal | None]) -> Refusal | None:
    return max((one for one in refusals if one), key=lambda one: one.wait_ms, default=None)


def _whole(levels: list[float]) -> tuple[int, int, int, int]:
    return (int(levels[0]), int(levels[1]), int(levels[2]), int(levels[3]))
