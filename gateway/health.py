"""What operators and their machines ask a web process: `/healthz`, `/readyz`, `/metrics`, `/version`.

`/healthz` says that the process runs and answers; it asks no one else, so that an outage of a store never
gets a healthy process killed. `/readyz` says whether requests should be sent here: 503 until PostgreSQL,
Valkey and the directory were each reached once, and again while draining. Later a store may be away for a
grace of 60 s before readiness ends, since known keys keep working without either store: a short outage must
not take every process out of the balancer at once. `/metrics` has this process's own figures (`metrics.py`).
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import platform
import time
from collections.abc import Awaitable, Callable, Sequence

import orjson
import structlog
from asgiref.typing import ASGIReceiveCallable, ASGISendCallable, HTTPScope

from gateway import __version__, metrics
from gateway.errors import MethodNotAllowed, envelope
from gateway.ids import new_request_id

Probe = Callable[[], Awaitable[None]]
Page = Callable[[HTTPScope, ASGIReceiveCallable, ASGISendCallable], Awaitable[None]]

GRACE = 60.0  # seconds that a store may be away before this process says it is not ready
_PROBE_TIMEOUT = 2.0
_FRESH = 1.0  # seconds that a probe's result is used again, however often one asks

log = structlog.get_logger(__name__)


class Health:
    """The four pages of one process, in `pages` by path. Probes raise when what they ask for is away."""

    def __init__(
        self,
        *,
        postgres: Probe,
        valkey: Probe,
        directory_loaded: Callable[[], bool],
        draining: Callable[[], bool],
        server: str,
        before_metrics: Sequence[Probe] = (),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stores = (
            _Store("postgres", postgres, clock),
            _Store("valkey", valkey, clock),
        )
        self._directory_loaded = directory_loaded
        self._draining = draining
        self._server = server
        self._before_metrics = before_metrics
        self.pages: dict[str, Page] = {
            "/healthz": self.healthz,
            "/readyz": self.readyz,
            "/metrics": self.metrics,
            "/version": self.version,
        }

    async def healthz(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await _answer_json(scope, send, 200, {"status": "ok"})

    async def readyz(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """`{"status": "ready" | "not ready", "checks": {name: word}}`, the words naming what is wrong."""
        states = await asyncio.gather(*(store.state() for store in self._stores))
        loaded, draining = self._directory_loaded(), self._draining()
        ready = all(state in (OK, IN_GRACE) for state in states) and loaded and not draining
        checks = {store.name: state for store, state in zip(self._stores, states, strict=True)}
        checks |= {
            "directory": OK if loaded else "not loaded",
            "draining": "yes" if draining else "no",
        }
        answer = {"status": "ready" if ready else "not ready", "checks": checks}
        await _answer_json(scope, send, 200 if ready else 503, answer)

    async def metrics(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        await self._refresh_metrics()
        await _answer(scope, send, 200, metrics.exposition(), metrics.CONTENT_TYPE)

    async def version(self, scope: HTTPScope, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        server = f"{self._server} {importlib.metadata.version(self._server)}"
        answer = {
            "version": __version__,
            "python": platform.python_version(),
            "server": server,
        }
        await _answer_json(scope, send, 200, answer)

    async def _refresh_metrics(self) -> None:
        """Figures that have to be asked for; the old ones are shown where that fails."""
        await asyncio.gather(*map(_refresh, self._before_metrics))


async def _refresh(ask: Probe) -> None:
    try:
        async with asyncio.timeout(_PROBE_TIMEOUT):
            await ask()
    except Exception as problem:  # whatever a store's client raises
        log.warning("metrics_not_refreshed", error=repr(problem))


OK = "ok"
IN_GRACE = "away, in grace"
AWAY = "away"
NEVER_REACHED = "never reached"


class _Store:
    """What is known of one store; concurrent askers share one probe, and its result for a second."""

    def __init__(self, name: str, probe: Probe, clock: Callable[[], float]) -> None:
        self.name = name
        self._probe = probe
        self._clock = clock
        self._reached = False
        self._away_since: float | None = None
        self._asked_at = float("-inf")
        self._asking = asyncio.Lock()

    async def state(self) -> str:
        async with self._asking:
            if self._clock() - self._asked_at >= _FRESH:
                await self._ask()
        if not self._reached:
            return NEVER_REACHED
        if self._away_since is None:
            return OK
        return IN_GRACE if self._clock() - self._away_since < GRACE else AWAY

    async def _ask(self) -> None:
        try:
            async with asyncio.timeout(_PROBE_TIMEOUT):
                await self._probe()
        except Exception as problem:  # whatever a store's client raises
            if self._away_since is None:
                self._away_since = self._clock()
                log.warning("store_away", store=self.name, error=repr(problem))
        else:
            if self._away_since is not None:
                log.info("store_reached", store=self.name)
            self._reached, self._away_since = True, None
        self._asked_at = self._clock()


async def _answer_json(scope: HTTPScope, send: ASGISendCallable, status: int, answer: object) -> None:
    await _answer(scope, send, status, orjson.dumps(answer), "application/json")


async def _answer(
    scope: HTTPScope,
    send: ASGISendCallable,
    status: int,
    body: bytes,
    content_type: str,
) -> None:
    """Answer GET and HEAD; anything else is refused in the envelope that every error has."""
    headers = [(b"cache-control", b"no-store")]
    if scope["method"] not in ("GET", "HEAD"):
        request_id = new_request_id()
        status, content_type = 405, "application/json"
        body = envelope(
            MethodNotAllowed(f"Method {scope['method']} is not allowed here."),
            request_id,
        )
        headers += [(b"allow", b"GET, HEAD"), (b"request-id", request_id.encode())]
    headers += [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(body)).encode()),
    ]
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": headers,
            "trailers": False,
        }
    )
    sent = b"" if scope["method"] == "HEAD" else body
    await send({"type": "http.response.body", "body": sent, "more_body": False})
