"""One request as the engine serves it: who asks, for what, and what goes along to the provider."""

from __future__ import annotations

from collections.abc import Collection
from typing import Protocol

import msgspec

from gateway.directory.catalog import CatalogModel, Target
from gateway.engine.passages.passage import Passage
from gateway.limit_pools import BATCH
from gateway.principal import Principal, Workspace
from gateway.protocol.body import Body
from gateway.scopes import Pool


class Surface(Protocol):
    """How a client speaks: `dialect` is that of the errors it understands, `ping` keeps its silent stream alive."""

    dialect: str
    ping: bytes

    def passage(self, call: Call, target: Target, foreign: Collection[str] = ()) -> Passage:
        """`foreign` are signatures that this target would refuse. Raises `InvalidRequest` for what cannot be carried
        to it."""
        ...


class Call(msgspec.Struct, frozen=True):
    """`relayed` are the `anthropic-*` headers for an Anthropic-dialect provider; `query` is without its `?`.

    `started` is `time.perf_counter()` at the first byte of the request, `checked` once its key and body had been;
    `patience` are the seconds from the start in which the caller wants a beginning of an answer. `session_id` names a
    conversation, if the client does. `inference_geo` is the place that a restricted workspace has a provider told, ""
    where there is nothing to tell. What is `batched` counts in the pool of batches and costs what batches cost.
    `address` is the caller's, where there is one.
    """

    request_id: str
    endpoint: str
    surface: Surface
    principal: Principal
    workspace: Workspace
    model: CatalogModel
    model_requested: str
    body: Body
    max_tokens: int
    stream: bool
    version: str
    relayed: tuple[tuple[bytes, bytes], ...]
    query: bytes
    started: float
    patience: float
    user_agent: str
    session_id: str
    inference_geo: str = ""
    batched: bool = False
    address: str = ""
    checked: float | None = None

    @property
    def pool(self) -> Pool:
        """What its requests and tokens are counted in."""
        return self.workspace.pools.of(BATCH if self.batched else self.model.group)
