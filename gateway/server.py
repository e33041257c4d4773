"""One web process: `python -m gateway.server`.

Listens on the socket that `GATEWAY_LISTEN_FD` names (the supervisor's, so that a restart loses no connection),
or on `HOST` and `PORT`. SIGTERM makes it unready and lets streams finish for `GATEWAY_DRAIN_SECONDS`; what is
still open then ends with an error event and is settled.
"""

from __future__ import annotations

import asyncio
import gc
import os
import socket
import sys

import uvicorn

from gateway import ending
from gateway.asgi import application, front_door
from gateway.http_connection import HttpConnection

# What uvicorn adds to our own drain before it cancels tasks that we should have ended.
MARGIN_SECONDS = 2

# While work is open, new requests are still taken for so long: a balancer has to see `/readyz` say no first. It is
# half the drain at most, so that who comes last has time too.
FAREWELL_SECONDS = 5.0


class Server(uvicorn.Server):
    """Drains the data plane beside uvicorn's own waiting for connections."""

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """What was imported stays: the collector need not look at it again, nor look as often."""
        await super().startup(sockets)
        gc.collect()
        gc.freeze()
        gc.set_threshold(10_000, 20, 20)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        draining = None
        HttpConnection.end()
        ending.begin()
        if front_door.plane is not None:
            seconds = front_door.configuration.drain_seconds
            draining = asyncio.create_task(front_door.plane.drain(seconds))
            await asyncio.wait({draining}, timeout=min(FAREWELL_SECONDS, seconds / 2))
        await super().shutdown(sockets)
        if draining is not None:
            draining.cancel()


def main() -> None:
    configuration = front_door.configuration
    if configuration.server == "daphne":
        sys.exit(_run_daphne())
    config = uvicorn.Config(
        application,
        host=configuration.host,
        port=configuration.port,
        loop="uvloop",
        http=HttpConnection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # `client_address.py` reads them, from trusted proxies only
        timeout_keep_alive=75,
        timeout_graceful_shutdown=round(configuration.drain_seconds) + MARGIN_SECONDS,
        backlog=2048,
    )
    inherited = os.environ.get("GATEWAY_LISTEN_FD")
    Server(config).run(sockets=[socket.socket(fileno=int(inherited))] if inherited else None)


def _run_daphne() -> int:
    """Daphne in this process's place; its limits are told in docs/operations.md."""
    configuration = front_door.configuration
    inherited = os.environ.get("GATEWAY_LISTEN_FD")
    where = ["--fd", inherited] if inherited else ["-b", configuration.host, "-p", str(configuration.port)]
    os.execv(
        sys.executable,
        [sys.executable, "-m", "daphne", *where, "--no-server-name", "-v", "0", "gateway.asgi:application"],
    )


if __name__ == "__main__":
    main()
