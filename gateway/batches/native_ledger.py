"""What the items of a provider's batch used, on its way to the ledger: journal and Valkey, as what the engine sends.

The attempt began when the batch was sent, and its id follows from that and the item's place: told twice it counts once.
"""

from __future__ import annotations

import asyncio
import datetime
from typing import Any

import msgspec
import structlog

from gateway.batches.native_parcel import request_id_of
from gateway.batches.store import Row
from gateway.directory.catalog import Target
from gateway.engine.plane import Plane
from gateway.engine.settlement import searches, tokens
from gateway.ids import derived_attempt_id
from gateway.metering import event as usage_event
from gateway.metering.event import UsageEvent
from gateway.metering.journal import JournalFull
from gateway.price import BATCH
from gateway.protocol.anthropic.relay import Message
from gateway.protocol.anthropic.thinking import signatures

log = structlog.get_logger(__name__)


class CannotRecord(Exception):
    """Neither Valkey nor the journal takes what was used; no result must be stored without it."""


class _Head(msgspec.Struct):
    model: str = ""


_head = msgspec.json.Decoder(_Head)


class NativeLedger:
    """Of one batch. `used` notes, `record` enters what was noted."""

    def __init__(self, batch: Row, target: Target, plane: Plane) -> None:
        self._batch = batch
        self._target = target
        self._plane = plane
        self._noted: list[UsageEvent] = []

    def used(self, number: int, params: bytes | None, told: Message, message: bytes) -> None:
        """An item that succeeded; `params` may be left out where all items ask for one model."""
        model = self._batch["model_names"][0] if params is None else _head.decode(params).model
        self._noted.append(self._event(number, model, told))
        if self._plane.directory.catalog.several_signers:
            organization = self._batch["organization_id"]
            self._plane.signers.learn(organization, self._target, signatures(message))

    async def record(self) -> None:
        """When it returns, Valkey has what was noted, or will have it from the journal. Raises `CannotRecord`."""
        noted, self._noted = self._noted, []
        if not noted:
            return
        events = [(event, usage_event.encode(event)) for event in noted]
        for event, encoded in events:
            self._write_down(event, encoded)
        await self._plane.journal.sync()
        await asyncio.gather(*[self._tell(event, encoded) for event, encoded in events])

    def _write_down(self, event: UsageEvent, encoded: bytes) -> None:
        try:
            self._plane.journal.settled(event.attempt_id, encoded)
        except (JournalFull, OSError) as problem:  # then Valkey has to have it
            log.error("usage_not_journalled", batch_id=self._batch["id"], error=str(problem))

    async def _tell(self, event: UsageEvent, encoded: bytes) -> None:
        try:
            await self._plane.limiter.append(event.organization_id, encoded)
        except Exception as problem:  # whatever it is, Valkey may not have it
            if not self._plane.journal.not_sent(event.attempt_id, encoded):
                raise CannotRecord(str(problem)) from problem

    def _event(self, number: int, asked: str, told: Message) -> UsageEvent:
        batch, usage = self._batch, told.usage
        model = self._plane.directory.catalog.find(asked)
        began: datetime.datetime = batch["forwarded_at"]
        return UsageEvent(
            attempt_id=derived_attempt_id(began, batch["id"], str(number)),
            request_id=request_id_of(batch["id"], number),
            organization_id=batch["organization_id"],
            workspace_id=batch["workspace_id"],
            api_key_id=batch["api_key_id"],
            endpoint="messages",
            model_requested=asked,
            model=model.name if model else asked,
            provider=batch["provider"],
            upstream_model=self._upstream_model(model),
            stream=False,
            status=200,
            usage_source="reported",
            usage=tokens(usage),
            latency_ms=max(0, round((batch["now"] - began).total_seconds() * 1000)),
            stop_reason=(told.stop_reason or "")[:64],
            web_search_requests=searches(usage),
            service_tier=BATCH,
            inference_geo=(usage.inference_geo or "")[:32],
            price_version=model.price_version if model else None,
            user_agent=batch["user_agent"],
            journal=self._plane.journal.owner,
        )

    def _upstream_model(self, model: Any) -> str:
        targets = model.targets if model else ()
        return next((one.upstream_model for one in targets if one.provider == self._batch["provider"]), "")
