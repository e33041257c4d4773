"""Counting tokens: asked of the provider where it can count, with its answer unchanged."""

from __future__ import annotations

import json

from tests import upstream as provider
from tests.data_plane.house import HELLO, PROVIDER_KEY, SCRIPTED, SIMULATED, SPARE, House
from tests.upstream import Upstream

PATH = "/v1/messages/count_tokens"


def test_the_provider_is_asked_and_its_answer_comes_back(house: House, upstream: Upstream) -> None:
    raw = b'{ "input_tokens" : 2095, "context_management": {"original_input_tokens": 2100} }'
    script = upstream.script(provider.reply(200, raw))
    asked = {"messages": [{"role": "user", "content": script}], "model": SCRIPTED, "zz": 1}

    answer = house.post(
        asked, path=PATH + "?beta=true", headers=[("anthropic-beta", "token-counting-2024-11-01")]
    )
    (received,) = upstream.received(script)

    assert (answer.status, answer.body) == (200, raw)
    assert received.target == PATH + "?beta=true"
    assert received.body == json.dumps(asked).encode().replace(SCRIPTED.encode(), b"upstream-model")
    assert received.header("anthropic-beta") == "token-counting-2024-11-01"
    assert (received.header("x-api-key"), received.header("authorization")) == (PROVIDER_KEY, None)


def test_a_providers_refusal_comes_back_unchanged(house: House, upstream: Upstream) -> None:
    raw = json.dumps(provider.error("invalid_request_error", "messages.0: no")).encode()
    script = upstream.script(provider.reply(400, raw))

    answer = house.post({"model": SCRIPTED, "messages": [{"role": "user", "content": script}]}, path=PATH)

    assert (answer.status, answer.body) == (400, raw)


def test_a_simulated_models_count_is_the_usage_of_its_message(house: House) -> None:
    asked = {"model": SIMULATED[0], "messages": HELLO, "system": "Be brief."}

    count = house.post(asked, path=PATH)
    message = house.post({**asked, "max_tokens": 50})

    assert (count.status, message.status) == (200, 200)
    assert count.json == {"input_tokens": message.json["usage"]["input_tokens"]}


def test_counting_uses_up_no_tokens(house: House, upstream: Upstream) -> None:
    tenant = house.tenant(limits={"tokens_per_minute": 10_000})
    asked = {"model": SCRIPTED, "messages": HELLO}

    before = house.post({**asked, "max_tokens": 1}, key=tenant.key)
    house.post(asked, path=PATH, key=tenant.key)
    after = house.post({**asked, "max_tokens": 1}, key=tenant.key)

    assert [answer.status for answer in (before, after)] == [200, 200]


def test_a_count_is_asked_of_the_next_provider_when_the_first_is_away(
    house: House, upstream: Upstream
) -> None:
    script = upstream.script(provider.reply(200, {"input_tokens": 77}))

    answer = house.post({"model": SPARE, "messages": [{"role": "user", "content": script}]}, path=PATH)

    assert (answer.status, answer.json) == (200, {"input_tokens": 77})
