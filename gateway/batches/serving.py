"""One item: served by the engine as a message of its own, and what its answer or its error means for the batch."""

from __future__ import annotations

import asyncio

import structlog

from gateway.batch_states import ItemState
from gateway.batches import lines
from gateway.batches.answer import in_batch
from gateway.batches.desk import Leased
from gateway.batches.item_call import call_of
from gateway.batches.owners import Owners
from gateway.batches.queue import MOST_TRIES, Item, Outcome
from gateway.directory.store import StoreUnavailable
from gateway.engine import exchange
from gateway.engine.entrance import NotYet
from gateway.engine.plane import Plane
from gateway.errors import GatewayError, InternalError, RequestTimeout, Unavailable
from gateway.ids import new_request_id

log = structlog.get_logger(__name__)

TRY_AGAIN_SECONDS = (2.0, 10.0)  # after the first and the second try
UNAVAILABLE_SECONDS = 1.0

TOO_MUCH = (429, 529)
WORKER_DIED = "The gateway's process ended at each of three attempts to run this request."


class TooMuch(Exception):
    """The provider wants less; seconds that it wants to be left alone, if it says."""

    def __init__(self, retry_after: float | None) -> None:
        super().__init__("the provider wants less")
        self.retry_after = retry_after


async def serve(leased: Leased, owners: Owners, plane: Plane) -> Outcome:
    """Its result, or that it is to be tried again. Raises `NotYet` and `TooMuch` for what was no try."""
    item, request_id = leased.item, new_request_id()
    try:
        if item.tries > MOST_TRIES:
            raise InternalError(WORKER_DIED)
        answer = await _answer(leased, owners, plane, request_id)
        return Outcome(item, ItemState.SUCCEEDED, lines.succeeded(item.custom_id, in_batch(answer)))
    except (NotYet, asyncio.CancelledError):
        raise
    except StoreUnavailable:
        raise NotYet(UNAVAILABLE_SECONDS) from None
    except GatewayError as error:
        return _failed(item, error, request_id)
    except Exception:
        log.exception("batch_item_failed", request_id=request_id, batch_id=item.batch_id)
        return _errored(item, InternalError("An unexpected error has occurred in the gateway."), request_id)


def not_sent(item: Item, *, expired: bool) -> Outcome:
    """What is left of a batch that was cancelled, or has expired."""
    if expired:
        return Outcome(item, ItemState.EXPIRED, lines.expired(item.custom_id))
    return Outcome(item, ItemState.CANCELED, lines.canceled(item.custom_id))


async def _answer(leased: Leased, owners: Owners, plane: Plane, request_id: str) -> bytes:
    owner = await owners.of(leased.batch)
    if owner is None:
        raise NotYet(UNAVAILABLE_SECONDS)
    call = call_of(leased.item.params, leased.batch, owner, plane.directory.catalog, request_id)
    return (await exchange.serve(call, plane)).body


def _failed(item: Item, error: GatewayError, request_id: str) -> Outcome:
    """An error that is the item's result, or that may pass. Raises `NotYet` and `TooMuch`."""
    asked = "x-gateway-attempts" in error.headers
    if asked and error.status in TOO_MUCH:
        raise TooMuch(_seconds(error.headers.get("retry-after", "")))
    if not asked and error.status == Unavailable.status:
        raise NotYet(UNAVAILABLE_SECONDS)
    passing = asked and (error.status >= 500 or error.status == RequestTimeout.status)
    if passing and item.tries < MOST_TRIES:
        return Outcome(item, ItemState.PENDING, wait=TRY_AGAIN_SECONDS[item.tries - 1])
    return _errored(item, error, request_id)


def _errored(item: Item, error: GatewayError, request_id: str) -> Outcome:
    return Outcome(item, ItemState.ERRORED, lines.errored(item.custom_id, error, request_id))


def _seconds(text: str) -> float | None:
    return float(text) if text.replace(".", "", 1).isdigit() and text.isascii() else None
