"""The same gateway under Daphne, on a socket it inherits as from the supervisor."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import anthropic
import pytest

from tests import upstream as provider
from tests.data_plane.house import PROJECT, SCRIPTED, body
from tests.data_plane.wire import Answer, Wire, ask, request
from tests.outages.site import Site, until
from tests.upstream import Hang, Pause, Send, chunk, stream_head

READY = request("GET", "/readyz", [])


@dataclass
class Daphne:
    process: subprocess.Popen[bytes]
    port: int


@pytest.fixture(scope="module")
def daphne(site: Site) -> Iterator[Daphne]:
    """One for the file, whose last test ends it."""
    data = site.folder / "daphne"
    data.mkdir(exist_ok=True)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0), backlog=128)) as listener:
        port = int(listener.getsockname()[1])
        environment = site.house.environment | {
            "GATEWAY_SERVER": "daphne",
            "GATEWAY_LISTEN_FD": str(listener.fileno()),
            "DATA_DIR": str(data),
            "GATEWAY_PUBLIC_URL": f"http://127.0.0.1:{port}",
        }
        with (site.folder / "daphne.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "gateway.server"],
                cwd=PROJECT,
                env=environment,
                stdout=log,
                stderr=log,
                pass_fds=[listener.fileno()],
            )
    try:
        until(lambda: _status(port) == 200, 20, "Daphne is not ready")
        yield Daphne(process, port)
    finally:
        process.kill()
        process.wait()


def test_the_official_sdk_talks_to_the_gateway_under_daphne(site: Site, daphne: Daphne) -> None:
    client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{daphne.port}", api_key=site.house.key)
    said = {"model": SCRIPTED, "max_tokens": 50, "messages": [{"role": "user", "content": "Hello"}]}

    message = client.messages.create(**said)
    with client.messages.stream(**said) as stream:
        streamed = stream.get_final_message()
    models = [model.id for model in client.models.list()]

    assert [block.text for block in message.content] == ["Hello from the provider."]
    assert [block.text for block in streamed.content] == ["Hello from the provider."]
    assert (message.usage.input_tokens, streamed.usage.output_tokens) == (25, 12)
    assert SCRIPTED in models


def test_a_batch_comes_in_under_daphne_too(site: Site, daphne: Daphne) -> None:
    client = anthropic.Anthropic(base_url=f"http://127.0.0.1:{daphne.port}", api_key=site.house.key)
    many = [{"custom_id": f"item-{n}", "params": body(SCRIPTED)} for n in range(3_000)]

    batch = client.messages.batches.create(requests=many)  # type: ignore[arg-type]
    with pytest.raises(anthropic.BadRequestError, match=r"requests\.3000\.custom_id: must be unique"):
        client.messages.batches.create(requests=[*many, many[7]])  # type: ignore[list-item]

    assert (batch.processing_status, batch.request_counts.processing) == ("in_progress", 3_000)


def test_daphne_streams_as_the_provider_does(site: Site, daphne: Daphne) -> None:
    frames = provider.frames()
    script = site.house.upstream.script(provider.streamed(frames, delay=0.1))

    answer = asyncio.run(ask(daphne.port, site.house.message(body(script=script, stream=True))))

    assert answer.complete and answer.body.endswith(frames[-1])
    gaps = answer.arrived(frames[-1]) - answer.arrived(frames[0])
    assert gaps > 0.1 * (len(frames) - 2)


def test_daphne_refuses_in_the_envelope_too(site: Site, daphne: Daphne) -> None:
    bad_host = [("Host", "x/#@y"), ("x-api-key", site.house.key)]

    no_key = asyncio.run(ask(daphne.port, site.house.message(body(), key="")))
    bad = asyncio.run(ask(daphne.port, request("POST", "/v1/messages", bad_host, b"{}")))
    large = asyncio.run(ask(daphne.port, site.house.message(b" " * (33 << 20))))

    assert (no_key.status, no_key.json["error"]["type"]) == (401, "authentication_error")
    assert bad.status == 400
    assert (large.status, large.json["error"]["type"]) == (413, "request_too_large")


def test_a_client_that_leaves_daphne_cuts_the_provider_off(site: Site, daphne: Daphne) -> None:
    frames = provider.frames()
    script = site.house.upstream.script(Send(stream_head() + chunk(frames[0])), Hang())

    async def leave() -> None:
        wire, answer = await Wire.connect(daphne.port), Answer()
        await wire.send(site.house.message(body(script=script, stream=True)))
        await wire.read_head(answer)
        wire.reset()

    asyncio.run(leave())
    (received,) = site.house.upstream.received(script, 1)

    assert received.closed.wait(2), "the provider still works"


def test_sigterm_ends_daphne_and_settles_what_is_open(site: Site, daphne: Daphne) -> None:
    tenant, frames = site.house.tenant(), provider.frames()
    steps = [part for _ in range(300) for part in (Pause(0.05), Send(chunk(frames[3])))]
    script = site.house.upstream.script(Send(stream_head() + b"".join(map(chunk, frames[:4]))), steps)

    async def stopped() -> Answer:
        asked = asyncio.create_task(
            ask(daphne.port, site.house.message(body(script=script, stream=True), key=tenant.key))
        )
        await asyncio.sleep(0.5)
        daphne.process.send_signal(signal.SIGTERM)
        return await asked

    told = time.monotonic()
    answer = asyncio.run(stopped())
    status = daphne.process.wait(10)
    seconds = time.monotonic() - told - 0.5

    print(
        f"\nDaphne ended {seconds:.2f} s after SIGTERM with status {status}; its stream "
        f"{'was whole' if answer.complete else 'was cut'}, error events: {answer.body.count(b'event: error')}"
    )
    assert seconds < 3
    until(lambda: len(site.rows(tenant.key_id)) == 1, 4, "not settled")
    assert [row.source for row in site.rows(tenant.key_id)] == ["estimated"]


def _status(port: int) -> int | None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
        return asyncio.run(ask(port, READY, 2)).status
    return None
