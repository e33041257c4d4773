"""Where a call goes, and where next when that fails: ordered targets, less those whose circuit is open.

At most two providers are tried beyond the first. Another key of the same provider is tried only after a failure that
has to do with the key. A target whose circuit is open costs no time, and is tried only if nothing else can be.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque

import msgspec

from gateway.directory.catalog import Target
from gateway.engine.attempt import AttemptFailed
from gateway.engine.call import Call
from gateway.engine.passages.passage import Passage
from gateway.engine.signers import Signers
from gateway.engine.stickiness import Stickiness
from gateway.errors import InvalidRequest, Overloaded
from gateway.upstreams.circuits import Circuits, Gate

MAX_PROVIDERS = 3
MAX_ATTEMPTS = 5  # with several keys of one provider there may be more attempts than providers
LEAST_PATIENCE = 0.05  # seconds; with less left of the caller's, another attempt only costs its provider work
LARGE_BODY = 256 * 1024  # bytes; writing one anew takes milliseconds and moves to a thread


class Step(msgspec.Struct, frozen=True):
    """One attempt to make."""

    target: Target
    passage: Passage


class Route:
    """The steps of one call: `first`, then `next` after each failure. `signers` where several providers sign."""

    def __init__(
        self, call: Call, circuits: Circuits, stickiness: Stickiness, signers: Signers | None
    ) -> None:
        self.attempts = 0
        self._call = call
        self._circuits = circuits
        self._stickiness = stickiness
        self._signers = signers
        self._waiting: deque[Target] = deque()
        self._closed_out: deque[Target] = deque()
        self._providers: set[str] = set()  # those tried
        self._spent: set[str] = set()  # those whose other keys would not help
        self._refusal: InvalidRequest | None = None

    async def first(self) -> Step:
        """Raises `InvalidRequest` where no target can carry the call, `Overloaded` where there is none."""
        targets = self._call.model.targets
        if len(targets) == 1:  # nothing to choose: it is tried whatever its circuit says
            step = await self._step(targets[0])
        else:
            self._waiting.extend(await self._stickiness.ordered(self._call))
            step = await self._advance()
        if step is None:
            raise self._refusal or Overloaded(f"No provider serves {self._call.model.name} at the moment.")
        return step

    async def next(self, failure: AttemptFailed, failed: Target) -> Step | None:
        """The next step after a failure, or None where another would not help or not come in time."""
        self._note(failure, failed)
        left = self._call.started + self._call.patience - time.perf_counter()
        if not failure.retryable or left < LEAST_PATIENCE or self.attempts >= MAX_ATTEMPTS:
            return None
        return await self._advance()

    def succeeded(self, target: Target) -> None:
        self._circuits.succeeded(target.circuit)
        if len(self._call.model.targets) > 1:
            self._stickiness.served(self._call, target)

    def _note(self, failure: AttemptFailed, failed: Target) -> None:
        """What a failure tells of its target: a refusal of the caller's own mistake is an answer."""
        if not failure.retryable:
            self._circuits.succeeded(failed.circuit)
            return
        self._circuits.failed(failed.circuit, retry_after=failure.retry_after)
        if not failure.of_the_key:
            self._spent.add(failed.provider)

    async def _advance(self) -> Step | None:
        """The next target that may be tried and can carry the call; one whose circuit is open only as the last."""
        while self._waiting:
            target = self._waiting.popleft()
            if not self._may_try(target):
                continue
            if not await self._is_open_to_us(target):
                self._closed_out.append(target)
            elif step := await self._step(target):
                return step
        while self._closed_out and not self.attempts:
            if step := await self._step(self._closed_out.popleft()):
                return step
        return None

    def _may_try(self, target: Target) -> bool:
        if target.provider in self._spent:
            return False
        return target.provider in self._providers or len(self._providers) < MAX_PROVIDERS

    async def _is_open_to_us(self, target: Target) -> bool:
        gate = self._circuits.gate(target.circuit)
        if gate is Gate.HALF_OPEN:
            return await self._circuits.may_probe(target.circuit)
        return gate is Gate.CLOSED

    async def _step(self, target: Target) -> Step | None:
        call = self._call
        try:
            if call.workspace.geography is not None:
                _check_place(target)
            if len(call.body.raw) > LARGE_BODY:
                passage = await asyncio.to_thread(call.surface.passage, call, target)
            else:
                passage = call.surface.passage(call, target)
            if self._signers is not None and target.dialect != "openai":
                passage = await self._without_foreign(self._signers, target, passage)
        except InvalidRequest as refusal:
            self._refusal = self._refusal or refusal
            return None
        self.attempts += 1
        self._providers.add(target.provider)
        return Step(target, passage)

    async def _without_foreign(self, signers: Signers, target: Target, passage: Passage) -> Passage:
        """The passage anew where the provider would be sent signatures that it refuses."""
        call = self._call
        foreign = await signers.foreign(call.principal.organization_id, target, passage.body)
        return await asyncio.to_thread(call.surface.passage, call, target, foreign) if foreign else passage


def _check_place(target: Target) -> None:
    """OpenAI's dialect has no word for where a request is served, so a restricted workspace goes elsewhere."""
    if target.dialect == "openai":
        raise InvalidRequest("inference_geo: this model's provider cannot promise where it serves a request")
