"""Where the requests of a workspace may be served, for clients and providers of both dialects."""

from __future__ import annotations

import itertools
import json
import time
from typing import Any

import pytest

from tests import openai_provider as chat
from tests import upstream as provider
from tests.data_plane.house import CROSSING, SCRIPTED, SIMULATED, TRANSLATED, House, body
from tests.data_plane.wire import Answer
from tests.upstream import Received, Upstream

CANNOT = "inference_geo: this model's provider cannot promise where it serves a request"
PATHS = ["/v1/messages", "/v1/chat/completions", "/v1/responses"]
_numbers = itertools.count(1)


def key_in(house: House, **residency: Any) -> str:
    """A key of a new workspace with this residency (`allowed`, `default`)."""
    return workspace_and_key(house, **residency)[1]


def workspace_and_key(house: House, **residency: Any) -> tuple[str, str]:
    name = f"Place {next(_numbers)}"
    wish = house.office.wish
    workspace = wish("workspace", organization="Acme", name=name, residency=residency)["id"]
    return workspace, wish("api_key", organization="Acme", workspace=workspace)["secret"]


def ask(house: House, key: str, path: str = PATHS[0], model: str = SCRIPTED, **fields: Any) -> Answer:
    """A usual request of the client that the path is for."""
    script = fields.pop("script", "")
    said = body(model, script, **fields)
    if path == "/v1/responses":
        said["input"] = said.pop("messages")
        said["max_output_tokens"] = said.pop("max_tokens")
    return house.post(said, path=path, key=key)


def served(house: House, upstream: Upstream, key: str, **how: Any) -> tuple[Answer, Received]:
    """The answer, and the one request that the provider got."""
    script = upstream.script(provider.reply(200, provider.message()))
    answer = ask(house, key, script=script, **how)
    assert answer.status == 200, answer.body
    (received,) = upstream.received(script)
    return answer, received


def message_of(answer: Answer) -> str:
    return str(answer.json["error"]["message"])


# --- Providers of the Anthropic dialect ---


def test_the_default_of_the_workspace_is_put_before_a_body_that_is_otherwise_the_same(
    house: House, upstream: Upstream
) -> None:
    key = key_in(house, default="us")
    script = upstream.script(provider.reply(200, provider.message()))
    rest = (
        b'"messages" :[{"content":"%s \\u00e9", "role":"user"}],\r\n "max_tokens":5,"zz":1e400}'
        % script.encode()
    )

    answer = house.post(b'{ "model":"claude-scripted" ,' + rest, key=key)
    (received,) = upstream.received(script)

    assert answer.status == 200
    assert received.body == b'{"inference_geo":"us", "model":"upstream-model" ,' + rest


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("given", [{}, {"inference_geo": None}])
def test_a_request_that_names_no_place_gets_the_default(
    house: House, upstream: Upstream, path: str, given: dict[str, Any]
) -> None:
    key = key_in(house, allowed=["us"], default="us")

    _, received = served(house, upstream, key, path=path, **given)

    assert received.json["inference_geo"] == "us"


@pytest.mark.parametrize("path", PATHS)
def test_a_default_of_anywhere_is_not_told(house: House, upstream: Upstream, path: str) -> None:
    for residency in ({}, {"allowed": ["global", "us"]}, {"allowed": ["global"]}):
        _, received = served(house, upstream, key_in(house, **residency), path=path)

        assert "inference_geo" not in received.json


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("stream", [False, True])
def test_a_place_that_is_not_allowed_is_refused_by_name(house: House, path: str, stream: bool) -> None:
    only_us, only_global = key_in(house, allowed=["us"], default="us"), key_in(house, allowed=["global"])

    answers = [
        ask(house, only_us, path, inference_geo="global", stream=stream),
        ask(house, only_us, path, inference_geo="eu", stream=stream),
        ask(house, only_global, path, inference_geo="us", stream=stream),
        ask(house, only_us, path, inference_geo=7, stream=stream),
    ]

    assert [(answer.status, message_of(answer)) for answer in answers] == [
        (400, "inference_geo: 'global' is not allowed in this workspace, only us"),
        (400, "inference_geo: 'eu' is not allowed in this workspace, only us"),
        (400, "inference_geo: 'us' is not allowed in this workspace, only global"),
        (400, "inference_geo: Input should be a valid string"),
    ]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("residency", [{"allowed": ["global", "us"]}, {"default": "us"}])
@pytest.mark.parametrize("place", ["us", "global"])
def test_a_place_that_is_allowed_is_told_as_it_was_named(
    house: House, upstream: Upstream, path: str, residency: dict[str, Any], place: str
) -> None:
    answer, received = served(house, upstream, key_in(house, **residency), path=path, inference_geo=place)

    assert received.json["inference_geo"] == place
    assert "inference_geo" not in str(answer.header("x-gateway-dropped"))


def test_a_workspace_without_restrictions_leaves_all_to_the_provider(
    house: House, upstream: Upstream
) -> None:
    for place in ("us", "global", "eu", 7):
        _, received = served(house, upstream, key_in(house), inference_geo=place)

        assert received.json["inference_geo"] == place


def test_a_count_of_tokens_is_served_nowhere(house: House, upstream: Upstream) -> None:
    script = upstream.script(provider.reply(200, {"input_tokens": 12}))
    said = body(SCRIPTED, script)
    del said["max_tokens"]

    answer = house.post(said, path="/v1/messages/count_tokens", key=key_in(house, default="us"))
    (received,) = upstream.received(script)

    assert (answer.status, answer.json) == (200, {"input_tokens": 12})
    assert "inference_geo" not in received.json


@pytest.mark.parametrize("path", PATHS)
def test_the_simulator_takes_any_place(house: House, path: str) -> None:
    assert ask(house, key_in(house, default="us"), path, SIMULATED[0]).status == 200


# --- Providers of the OpenAI dialect ---


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "residency", [{"default": "us"}, {"allowed": ["us"], "default": "us"}, {"allowed": ["global"]}]
)
def test_a_restricted_workspace_is_not_served_by_who_promises_no_place(
    house: House, path: str, residency: dict[str, Any]
) -> None:
    answer = ask(house, key_in(house, **residency), path, TRANSLATED)

    assert (answer.status, message_of(answer)) == (400, CANNOT)


@pytest.mark.parametrize("path", PATHS)
def test_a_route_goes_on_to_a_provider_that_can_promise(house: House, upstream: Upstream, path: str) -> None:
    answer, received = served(house, upstream, key_in(house, default="us"), path=path, model=CROSSING)

    assert received.target == "/v1/messages"
    assert received.json["inference_geo"] == "us"
    assert (answer.header("x-gateway-provider"), answer.header("x-gateway-attempts")) == ("scripted", "1")


@pytest.mark.parametrize("path", PATHS)
def test_a_workspace_without_restrictions_is_served_by_any_provider(
    house: House, upstream: Upstream, path: str
) -> None:
    script = upstream.script(provider.reply(200, chat.completion()))

    assert ask(house, key_in(house), path, TRANSLATED, script=script).status == 200


# --- Changes ---


def test_another_residency_counts_within_a_second(house: House) -> None:
    workspace, key = workspace_and_key(house)
    assert ask(house, key, inference_geo="global").status == 200

    house.office.wish("residency", workspace=workspace, allowed=["us"], default="us")
    changed = time.monotonic()
    while ask(house, key, inference_geo="global").status == 200 and time.monotonic() - changed < 3:
        time.sleep(0.02)

    assert time.monotonic() - changed < 1.0


def test_a_key_of_the_whole_organization_is_bound_by_the_workspace_it_chooses(house: House) -> None:
    workspace, _ = workspace_and_key(house, allowed=["us"], default="us")
    said = json.dumps(body(inference_geo="global")).encode()

    here = house.post(said, headers=[("anthropic-workspace-id", workspace)])
    elsewhere = house.post(said)

    assert (here.status, elsewhere.status) == (400, 200)
