"""No caller names a host that the gateway dials: addresses in requests are passed on as text, or refused."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from tests import openai_provider as chat
from tests import upstream as provider
from tests.data_plane.house import JSON, SCRIPTED, TRANSLATED, House, body
from tests.upstream import Upstream, reply


class Canary:
    """Listens where nobody should come by."""

    def __init__(self) -> None:
        self.visitors = 0
        self._socket = socket.create_server(("0.0.0.0", 0), backlog=64)
        self.port = int(self._socket.getsockname()[1])
        threading.Thread(target=self._count, daemon=True).start()

    def _count(self) -> None:
        while True:
            try:
                visitor, _ = self._socket.accept()
            except OSError:
                return
            self.visitors += 1
            visitor.close()

    def close(self) -> None:
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()


@pytest.fixture(scope="module")
def canary() -> Iterator[Canary]:
    canary = Canary()
    yield canary
    canary.close()


# Ways to spell an address of this machine, the cloud's metadata service, and a host with a user in front.
SPELLINGS = [
    "http://127.0.0.1:{port}/x.png",
    "http://localhost:{port}/x.png",
    "http://2130706433:{port}/x.png",
    "http://0x7f000001:{port}/x.png",
    "http://0177.0.0.1:{port}/x.png",
    "http://127.1:{port}/x.png",
    "http://0.0.0.0:{port}/x.png",
    "http://[::ffff:127.0.0.1]:{port}/x.png",
    "http://user@127.0.0.1:{port}/x.png",
    "http://169.254.169.254:{port}/latest/meta-data",
    "https://127.0.0.1:{port}/x.png",
    "file:///etc/passwd",
    "gopher://127.0.0.1:{port}/_x",
    "//127.0.0.1:{port}/x.png",
]


def messages(url: str, script: str) -> dict[str, Any]:
    image = {"type": "image", "source": {"type": "url", "url": url}}
    content = [image, {"type": "text", "text": f"What is it? {script}"}]
    return {"max_tokens": 100, "messages": [{"role": "user", "content": content}]}


def chat_completions(url: str, script: str) -> dict[str, Any]:
    image = {"type": "image_url", "image_url": {"url": url}}
    return {
        "messages": [{"role": "user", "content": [image, {"type": "text", "text": f"What is it? {script}"}]}]
    }


def responses(url: str, script: str) -> dict[str, Any]:
    image = {"type": "input_image", "image_url": url}
    content = [image, {"type": "input_text", "text": f"What is it? {script}"}]
    return {"input": [{"role": "user", "content": content}]}


@pytest.mark.parametrize("model", [SCRIPTED, TRANSLATED])
@pytest.mark.parametrize(
    ("path", "written"),
    [
        ("/v1/messages", messages),
        ("/v1/chat/completions", chat_completions),
        ("/v1/responses", responses),
    ],
)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_address_of_an_image_is_passed_on_or_refused_but_not_dialed(
    house: House, upstream: Upstream, canary: Canary, path: str, written: Any, model: str, spelling: str
) -> None:
    url = spelling.format(port=canary.port)
    healthy = chat.completion() if model == TRANSLATED else provider.message()
    script = upstream.script(reply(200, healthy))

    answer = house.post({"model": model, **written(url, script)}, path=path)

    received = upstream.received(script)
    assert (answer.status, [url.encode() in one.body for one in received]) in [(200, [True]), (400, [])]
    assert canary.visitors == 0


FIELDS: dict[str, Any] = {
    "mcp_servers": [{"type": "url", "name": "x", "url": "http://127.0.0.1:{port}/"}],
    "base_url": "http://127.0.0.1:{port}/",
    "api_base": "http://127.0.0.1:{port}/",
    "webhook_url": "http://127.0.0.1:{port}/",
    "model": "http://127.0.0.1:{port}/claude-scripted",
    "provider": {"base_url": "http://127.0.0.1:{port}/"},
    "container": "http://127.0.0.1:{port}/",
}


@pytest.mark.parametrize("model", [SCRIPTED, TRANSLATED])
@pytest.mark.parametrize("field", FIELDS)
def test_no_field_changes_where_a_request_goes(house: House, canary: Canary, model: str, field: str) -> None:
    value = _with_port(FIELDS[field], canary.port)

    answer = house.post(body(model) | {field: value})

    assert answer.status in (200, 400, 404)
    assert canary.visitors == 0


HEADERS = [
    *("x-forwarded-host", "x-original-url", "x-rewrite-url", "forwarded", "x-gateway-provider"),
    *("x-base-url", "x-upstream", "anthropic-base-url", "x-portkey-custom-host", "api-base"),
]


@pytest.mark.parametrize("name", HEADERS)
def test_no_header_changes_where_a_request_goes(house: House, canary: Canary, name: str) -> None:
    answer = house.post(body(), headers=[(name, f"http://127.0.0.1:{canary.port}/")])

    assert (answer.status, answer.header("x-gateway-provider")) == (200, "scripted")
    assert canary.visitors == 0


def test_a_redirect_of_a_provider_is_not_followed(house: House, upstream: Upstream, canary: Canary) -> None:
    script = upstream.script(reply(307, b"", ("location", f"http://127.0.0.1:{canary.port}/")))

    answers = [house.post(body(model, script), usual=[JSON]) for model in (SCRIPTED, TRANSLATED)]

    assert [answer.status for answer in answers] == [500, 500]
    assert canary.visitors == 0


def _with_port(value: Any, port: int) -> Any:
    if isinstance(value, str):
        return value.replace("{port}", str(port))
    if isinstance(value, list):
        return [_with_port(item, port) for item in value]
    return {key: _with_port(item, port) for key, item in value.items()}
