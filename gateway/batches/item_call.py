"""An item of a batch as a call that the engine serves: checked as a message of its own would be, and never a stream."""

from __future__ import annotations

import time

import msgspec

from gateway.batches.store import Row
from gateway.directory.catalog import Catalog
from gateway.engine.asked import Asked, output_limit, permitted_model
from gateway.engine.call import Call
from gateway.engine.inference_geo import inference_geo
from gateway.engine.surfaces.messages import MESSAGES
from gateway.principal import Principal, Workspace
from gateway.protocol import body as guarded
from gateway.protocol.anthropic.request import message_request

# Nobody holds a connection open for it: an answer may take as long as a provider gives it.
PATIENCE_SECONDS = 3_600.0


class Owner(msgspec.Struct, frozen=True):
    """Who a batch belongs to, as of now."""

    principal: Principal
    workspace: Workspace


def call_of(params: bytes, batch: Row, owner: Owner, catalog: Catalog, request_id: str) -> Call:
    """Raises `GatewayError` for what a message of its own would be refused for."""
    body = guarded.parse(params)
    request = message_request(body)
    model = permitted_model(request.model, catalog, owner.workspace)
    asked = Asked(body, request.model, request.max_tokens, False, MESSAGES)
    geography = owner.workspace.geography
    return Call(
        request_id=request_id,
        endpoint="messages",
        surface=MESSAGES,
        principal=owner.principal,
        workspace=owner.workspace,
        model=model,
        model_requested=request.model,
        body=body,
        max_tokens=output_limit(asked, model),
        stream=False,
        version=batch["version"],
        relayed=tuple((name.encode("latin-1"), value.encode("latin-1")) for name, value in batch["relayed"]),
        query=batch["query"].encode("latin-1"),
        started=time.perf_counter(),
        patience=PATIENCE_SECONDS,
        user_agent=batch["user_agent"],
        session_id="",
        inference_geo="" if geography is None else inference_geo(body, geography),
        batched=True,
    )
