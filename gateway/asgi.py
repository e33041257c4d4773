"""The front door: the data plane goes to Channels consumers, everything else to Django.

Django's own handler costs more per request than a whole relayed message, so `/v1` never touches it, and it is
imported only when the first page is asked for. The Playground's messages go to consumers too, which ask Django who
sends them.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Awaitable, Callable
from typing import Any

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "gateway.settings")

import django

django.setup()

from channels.routing import ProtocolTypeRouter, URLRouter
from django.conf import settings
from django.core.asgi import get_asgi_application
from django.urls import re_path

from gateway import metrics
from gateway.batches.figures import FigureReader
from gateway.batches.hint import Hints
from gateway.batches.intake import Intake
from gateway.batches.store import BatchStore
from gateway.bounded_body import BoundedBody
from gateway.configuration import Configuration
from gateway.consumers import access_log
from gateway.consumers.chat_completions import ChatCompletionsConsumer
from gateway.consumers.count_tokens import CountTokensConsumer
from gateway.consumers.message_batch import CancelConsumer, MessageBatchConsumer, ResultsConsumer
from gateway.consumers.message_batches import MessageBatchesConsumer
from gateway.consumers.messages import MessagesConsumer
from gateway.consumers.models import ModelsConsumer
from gateway.consumers.not_found import HelloConsumer, NotFoundConsumer
from gateway.consumers.playground import COUNT_TOKENS as PLAYGROUND_COUNT
from gateway.consumers.playground import MESSAGES as PLAYGROUND_MESSAGES
from gateway.consumers.playground import PlaygroundCountConsumer, PlaygroundMessagesConsumer
from gateway.consumers.responses import ResponsesConsumer
from gateway.engine.plane import Plane
from gateway.health import Health
from gateway.shards import SHARDS, usage_stream

Application = Callable[[Any, Any, Any], Awaitable[None]]

# `/v1/v1/...` is what an SDK asks for whose base_url already ends in /v1.
DATA_PLANE = re.compile(r"/+v1(/|$)")
ADMIN_API = re.compile(r"/v1/(v1/)?organizations(/|$)")
V1 = r"^v1/(?:v1/)?"


class FrontDoor:
    """The ASGI application of one process. `plane` starts with the server, or with the first request under
    a server that has no lifespan (Daphne)."""

    def __init__(self, configuration: Configuration) -> None:
        access_log.enable(configuration.access_log)
        self.configuration = configuration
        self.plane: Plane | None = None
        self._batches = BatchStore(configuration.database_url)
        self._hints = Hints(settings.CELERY_BROKER_URL)
        self._starting = asyncio.Lock()
        self._django: Application | None = None
        self._data_plane: Application | None = None
        self._busiest: dict[str, Application] = {}
        self._hello: Application | None = None
        self._health: dict[str, Application] = {}

    async def http(self, scope: Any, receive: Any, send: Any) -> None:
        if self.plane is None:
            await self.start()
        path: str = scope["path"]
        application = self._busiest.get(path) or self._application(path, scope["method"])
        await application(scope, receive, send)

    async def lifespan(self, scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await self.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def start(self) -> None:
        async with self._starting:
            if self.plane is not None:
                return
            plane = Plane(self.configuration)
            await plane.start()
            intake = Intake(self._batches, self.configuration.data_dir / "batches", self._hints)
            self._data_plane = URLRouter(data_plane(plane, self._batches, intake))
            self._busiest = {
                "/v1/messages": MessagesConsumer.as_asgi(plane=plane),
                "/v1/chat/completions": ChatCompletionsConsumer.as_asgi(plane=plane),
                PLAYGROUND_MESSAGES: PlaygroundMessagesConsumer.as_asgi(plane=plane, pages=self._pages),
                PLAYGROUND_COUNT: PlaygroundCountConsumer.as_asgi(plane=plane, pages=self._pages),
            }
            self._hello = HelloConsumer.as_asgi(plane=plane)
            self._health = dict(_health(plane, self._batches).pages)
            self.plane = plane

    async def stop(self) -> None:
        if self.plane is not None:
            await self.plane.stop()
            await self._batches.close()
            self._hints.close()
        access_log.flush()

    def _application(self, path: str, method: str) -> Application:
        if DATA_PLANE.match(path) and not ADMIN_API.match(path):
            return self._data_plane  # type: ignore[return-value]
        if path in self._health:
            return self._health[path]
        if method == "HEAD" and path in ("/", "/api/hello"):
            return self._hello  # type: ignore[return-value]
        return self._pages

    async def _pages(self, scope: Any, receive: Any, send: Any) -> None:
        if self._django is None:
            self._django = BoundedBody(get_asgi_application())
        await self._django(scope, receive, send)


def data_plane(plane: Plane, batches: BatchStore, intake: Intake) -> list[Any]:
    """In the order of their traffic; the router tries one after another."""
    stored: dict[str, Any] = {"plane": plane, "store": batches}
    return [
        re_path(V1 + r"messages$", MessagesConsumer.as_asgi(plane=plane)),
        re_path(V1 + r"chat/completions$", ChatCompletionsConsumer.as_asgi(plane=plane)),
        re_path(V1 + r"responses$", ResponsesConsumer.as_asgi(plane=plane)),
        re_path(V1 + r"messages/count_tokens$", CountTokensConsumer.as_asgi(plane=plane)),
        re_path(V1 + r"messages/batches$", MessageBatchesConsumer.as_asgi(**stored, intake=intake)),
        re_path(V1 + r"messages/batches/(?P<id>[^/]+)$", MessageBatchConsumer.as_asgi(**stored)),
        re_path(
            V1 + r"messages/batches/(?P<id>[^/]+)/cancel$", CancelConsumer.as_asgi(**stored, intake=intake)
        ),
        re_path(V1 + r"messages/batches/(?P<id>[^/]+)/results$", ResultsConsumer.as_asgi(**stored)),
        re_path(V1 + r"models$", ModelsConsumer.as_asgi(plane=plane)),
        re_path(V1 + r"models/(?P<name>.+)$", ModelsConsumer.as_asgi(plane=plane)),
        re_path(r"", NotFoundConsumer.as_asgi(plane=plane)),
    ]


def _health(plane: Plane, batches: BatchStore) -> Health:
    figures = FigureReader(batches)

    async def valkey() -> None:
        await plane.valkey.command("PING")

    async def stream_lag() -> None:
        lengths = [plane.valkey.command("XLEN", usage_stream(shard)) for shard in range(SHARDS)]
        metrics.usage_stream_lag(sum(await asyncio.gather(*lengths)))

    async def message_batches() -> None:
        told = await figures.read()
        metrics.message_batches(told.batches, told.items, told.oldest_seconds, told.tally)

    return Health(
        postgres=plane.directory.store.ping,
        valkey=valkey,
        directory_loaded=lambda: plane.directory.loaded,
        draining=lambda: plane.draining,
        server=plane.configuration.server,
        before_metrics=(stream_lag, message_batches),
    )


async def refuse_websocket(scope: Any, receive: Any, send: Any) -> None:
    """Where the server knows WebSockets (Daphne); uvicorn, without a library for them, takes one for a GET."""
    await receive()
    await send({"type": "websocket.close"})


front_door = FrontDoor(settings.CONFIGURATION)
application = ProtocolTypeRouter(
    {"http": front_door.http, "lifespan": front_door.lifespan, "websocket": refuse_websocket}
)
