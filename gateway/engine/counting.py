"""Counting a prompt's tokens: free, in a request limit of its own, never in the ledger."""

from __future__ import annotations

import asyncio

import msgspec

from gateway.directory.catalog import Target
from gateway.engine.attempt import AttemptFailed, read_reply
from gateway.engine.call import Call
from gateway.engine.entrance import admit_count
from gateway.engine.plane import Plane
from gateway.engine.route import MAX_PROVIDERS
from gateway.errors import InternalError, Overloaded
from gateway.ids import new_attempt_id
from gateway.limits import headers as limit_headers
from gateway.simulator.provider import count_tokens
from gateway.tokens.profiles import profile_for

NO_COUNT_THERE = (404, 405, 501)  # a provider of the dialect that does not offer the endpoint


class Count(msgspec.Struct, frozen=True):
    """`source` is `provider` or `estimate`; `body` is the provider's own answer, if there is one."""

    headers: list[tuple[bytes, bytes]]
    source: str
    input_tokens: int = 0
    body: bytes = b""


class CountBody(msgspec.Struct):
    input_tokens: int


_decoder = msgspec.json.Decoder(CountBody)


async def count(call: Call, plane: Plane) -> Count:
    """Raises `GatewayError`."""
    if not call.model.targets:
        raise Overloaded(f"No provider serves {call.model.name} at the moment.")
    admission = await admit_count(call, new_attempt_id(), plane)
    headers = limit_headers.of(admission)
    try:
        return await _first_count(call, headers, plane)
    finally:
        plane.limiter.settle(admission, admission.amounts).add_done_callback(_ignore)


async def _first_count(call: Call, headers: list[tuple[bytes, bytes]], plane: Plane) -> Count:
    """From the first target that can tell: asked where its dialect has a count, else estimated."""
    targets = call.model.ordered_targets()[:MAX_PROVIDERS]
    for position, target in enumerate(targets, 1):
        try:
            return await _count_at(call, target, headers, plane)
        except AttemptFailed as failure:
            if not failure.retryable or position == len(targets):
                raise failure.error from failure
    raise AssertionError("the last target either answers or raises")


async def _count_at(call: Call, target: Target, headers: list[tuple[bytes, bytes]], plane: Plane) -> Count:
    if target.dialect == "simulator":
        tokens = await asyncio.to_thread(count_tokens, call.body.raw)
        return Count(headers, "provider", input_tokens=tokens)
    if target.dialect == "anthropic" and (body := await _asked(call, target, plane)):
        return Count(headers, "provider", body=body)
    tokens = await plane.counter.count(call.body.raw, profile=profile_for(target.upstream_model))
    return Count(headers, "estimate", input_tokens=tokens)


async def _asked(call: Call, target: Target, plane: Plane) -> bytes:
    """The provider's answer, or nothing where it does not offer counting. Raises `AttemptFailed`."""
    try:
        body = await read_reply(call, target, call.surface.passage(call, target), plane.dialects)
    except AttemptFailed as failure:
        if failure.status in NO_COUNT_THERE:
            return b""
        raise
    try:
        _decoder.decode(body)
    except (msgspec.DecodeError, msgspec.ValidationError):
        error = InternalError("The provider sent a count that cannot be read.")
        raise AttemptFailed(error, retryable=True) from None
    return body


def _ignore(future: asyncio.Future[object]) -> None:
    """A lease of a count that could not be given back ends by itself."""
    if not future.cancelled():
        future.exception()
