"""Where a request goes: by priority and weight, past providers that fail, and back to where its prompt is cached."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pytest

from tests import openai_provider as chat
from tests import upstream as provider
from tests.data_plane.house import House, body
from tests.data_plane.wire import Answer
from tests.outages.site import until
from tests.ports import free_port
from tests.upstream import Close, Hang, Reset, Script, Upstream, reply

NUMBER = iter(range(1, 1000))
MANY = 40


class Routes:
    """Makes models whose providers are all the scripted one, each at an address of its own."""

    def __init__(self, house: House) -> None:
        self._house = house

    def model(self, *ways: dict[str, Any], **fields: Any) -> tuple[str, list[str]]:
        """A new model, and the names of its providers; a way may say priority, weight, dialect, keys, refused."""
        number = next(NUMBER)
        providers = [f"p{number}-{letter}" for letter, _ in zip("abcdef", ways, strict=False)]
        for name, way in zip(providers, ways, strict=True):
            self._provider(name, way)
        routes = [
            {
                "provider": name,
                "model": way.get("model", "upstream-model"),
                "priority": way.get("priority", at),
                "weight": way.get("weight", 100),
            }
            for at, (name, way) in enumerate(zip(providers, ways, strict=True), 1)
        ]
        model = f"routed-{number}"
        self._house.office.wish(
            "model", name=model, routes=routes, aliases=fields.pop("aliases", []), **fields
        )
        return model, providers

    def _provider(self, name: str, way: dict[str, Any]) -> None:
        port = free_port() if way.get("refused") else self._house.upstream.port
        dialect = way.get("dialect", "anthropic")
        address = f"http://127.0.0.1:{port}/{name}" + ("/v1" if dialect == "openai" else "")
        keys = {"api_keys": way["keys"]} if "keys" in way else {"api_key": f"key-of-{name}"}
        timeouts = {"connect": 0.5, "first_byte": way.get("first_byte", 5.0), "idle": 2.0}
        self._house.office.wish(
            "provider", name=name, dialect=dialect, base_url=address, timeouts=timeouts, **keys
        )


@pytest.fixture(scope="module")
def routes(house: House) -> Routes:
    return Routes(house)


@pytest.fixture(scope="module")
def two(routes: Routes, house: House) -> Iterator[tuple[str, list[str]]]:
    """A model at a first and a second provider."""
    yield routes.model({}, {})


def ready(house: House, *models: str) -> None:
    """Wait until the gateway knows the models."""
    deadline = time.monotonic() + 5
    while any(house.get(f"/v1/models/{model}").status != 200 for model in models):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def failing(providers: Sequence[str], *scripts: Script) -> dict[str, Script]:
    """One script for each provider; those after them are healthy."""
    return {f"/{name}": script for name, script in zip(providers, scripts, strict=False)}


def asked(upstream: Upstream, script: str) -> list[str]:
    """The providers that were asked, in order."""
    return [received.target.split("/")[1] for received in upstream.received(script)]


def route_of(answer: Answer) -> tuple[int, str | None, str | None]:
    return answer.status, answer.header("x-gateway-provider"), answer.header("x-gateway-attempts")


FAULTS: dict[str, Script] = {
    "408": reply(408, provider.error("timeout_error", "Late")),
    "429": reply(429, provider.error("rate_limit_error", "Slow down")),
    "500": reply(500, provider.error("api_error", "Oops")),
    "502 in HTML": reply(502, b"<html>", content_type="text/html"),
    "503": reply(503, provider.error("api_error", "Away")),
    "529": reply(529, provider.error("overloaded_error", "Busy")),
    "401": reply(401, provider.error("authentication_error", "invalid x-api-key")),
    "403": reply(403, provider.error("permission_error", "No")),
    "closes": [Close()],
    "resets": [Reset()],
    "answers HTML": reply(200, b"<html>", content_type="text/html"),
}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fault", FAULTS)
def test_a_provider_that_fails_is_passed_over_before_the_first_byte(
    house: House, routes: Routes, upstream: Upstream, fault: str, stream: bool
) -> None:
    model, providers = routes.model({}, {})
    ready(house, model)
    script = upstream.scripts(failing(providers, FAULTS[fault]))

    answer = house.post(body(model, script, stream=stream))

    assert asked(upstream, script) == providers
    assert route_of(answer) == (200, providers[1], "2")


@pytest.mark.parametrize("status", [400, 404, 413, 422])
def test_the_callers_own_mistake_is_told_by_the_first_provider(
    house: House, two: tuple[str, list[str]], upstream: Upstream, status: int
) -> None:
    model, providers = two
    ready(house, model)
    said = provider.error("invalid_request_error", "messages: no")
    script = upstream.scripts(failing(providers, reply(status, said)))

    answer = house.post(body(model, script))

    assert (answer.status, answer.json) == (status, said)
    assert asked(upstream, script) == providers[:1]


def test_a_refused_connection_and_a_silent_one_are_passed_over(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    model, providers = routes.model({"refused": True}, {"first_byte": 0.3}, {})
    ready(house, model)
    script = upstream.scripts(failing(providers[1:], [Hang()]))

    answer = house.post(body(model, script))

    assert route_of(answer) == (200, providers[2], "3")
    assert 0.3 <= answer.took < 1.5


def test_at_most_two_providers_are_tried_beyond_the_first(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    model, providers = routes.model({}, {}, {}, {})
    ready(house, model)
    script = upstream.scripts(failing(providers, *[FAULTS["500"]] * 3))

    answer = house.post(body(model, script))

    assert asked(upstream, script) == providers[:3]
    assert route_of(answer) == (500, None, "3")


def test_each_attempt_is_a_row_of_its_own(house: House, routes: Routes, upstream: Upstream) -> None:
    model, providers = routes.model({}, {})
    ready(house, model)
    script = upstream.scripts(failing(providers, FAULTS["529"]))

    request_id = house.post(body(model, script)).header("request-id")
    until(lambda: len(house.events(request_id)) >= 2, 3)

    rows = [(one.provider, one.attempt, one.status) for one in house.events(request_id)]
    assert sorted(rows) == [(providers[0], 1, 529), (providers[1], 2, 200)]


def test_nothing_is_tried_again_after_the_first_byte(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    model, providers = routes.model({}, {})
    ready(house, model)
    begun = [*map(provider.chunk, provider.frames()[:4])]
    broken = [provider.Send(provider.stream_head() + b"".join(begun)), provider.Pause(0.05), Reset()]
    script = upstream.scripts(failing(providers, broken))

    answer = house.post(body(model, script, stream=True))

    assert asked(upstream, script) == providers[:1]
    assert answer.body.endswith(b"\n\n") and b"event: error" in answer.body


def test_the_callers_patience_bounds_all_attempts_together(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    model, providers = routes.model({}, {}, {})
    ready(house, model)
    script = upstream.script([Hang()])

    answer = house.post(body(model, script), headers=[("x-stainless-timeout", "0.6")])

    assert (answer.status, answer.json["error"]["type"]) == (504, "timeout_error")
    assert 0.5 < answer.took < 1.5
    assert asked(upstream, script) == providers[:1]


@pytest.mark.parametrize("told", ["NOT_GIVEN", "nonsense", "-1", "1e9", "nan"])
def test_a_patience_that_is_no_number_is_the_usual_one(
    house: House, two: tuple[str, list[str]], upstream: Upstream, told: str
) -> None:
    model, _ = two
    ready(house, model)

    answer = house.post(body(model), headers=[("x-stainless-timeout", told)])

    assert answer.status == 200


def test_a_lower_priority_is_tried_only_when_the_higher_fails(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    model, providers = routes.model({"priority": 2}, {"priority": 1})
    ready(house, model)

    answers = house.ask_all([house.message(body(model))] * 10)

    assert {route_of(answer) for answer in answers} == {(200, providers[1], "1")}


def test_within_a_priority_weights_decide_how_often(house: House, routes: Routes) -> None:
    model, providers = routes.model({"priority": 1, "weight": 300}, {"priority": 1, "weight": 100})
    ready(house, model)

    answers = house.ask_all([house.message(body(model))] * 200)

    chosen = Counter(answer.header("x-gateway-provider") for answer in answers)
    assert 120 <= chosen[providers[0]] <= 178  # 150 expected; further off than 4.5 deviations otherwise


def test_several_keys_share_a_provider_by_weight(house: House, routes: Routes, upstream: Upstream) -> None:
    keys = [{"key": "key-heavy", "weight": 300}, {"key": "key-light", "weight": 100}]
    model, _ = routes.model({"keys": keys})
    ready(house, model)
    script = upstream.script(reply(200, provider.message()))

    house.ask_all([house.message(body(model, script))] * 100)

    used = Counter(received.header("x-api-key") for received in upstream.received(script))
    assert set(used) == {"key-heavy", "key-light"} and used["key-heavy"] > used["key-light"]


@pytest.mark.parametrize(("fault", "keys_used"), [("401", 2), ("429", 2), ("500", 1)])
def test_another_key_is_tried_only_after_a_failure_that_has_to_do_with_the_key(
    house: House, routes: Routes, upstream: Upstream, fault: str, keys_used: int
) -> None:
    keys = [{"key": "key-one", "weight": 100}, {"key": "key-two", "weight": 100}]
    model, providers = routes.model({"keys": keys}, {})
    ready(house, model)
    script = upstream.scripts(failing(providers, FAULTS[fault]))

    answer = house.post(body(model, script))

    first, *_ = providers
    used = {
        one.header("x-api-key") for one in upstream.received(script) if one.target.startswith(f"/{first}/")
    }
    assert len(used) == keys_used
    assert route_of(answer) == (200, providers[1], str(keys_used + 1))


def test_a_provider_that_keeps_failing_costs_no_attempt_after_a_while(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    model, providers = routes.model({}, {})
    ready(house, model)
    script = upstream.scripts(failing(providers, FAULTS["500"]))

    for _ in range(25):
        house.post(body(model, script))
    answer = house.post(body(model, script))

    assert route_of(answer) == (200, providers[1], "1")
    assert asked(upstream, script).count(providers[0]) == 20


def test_a_provider_that_asks_for_rest_is_left_alone_and_looked_at_again(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    model, providers = routes.model({}, {})
    ready(house, model)
    busy = reply(429, provider.error("rate_limit_error", "Slow down"), ("retry-after", "1"))
    script = upstream.scripts(failing(providers, busy))
    house.post(body(model, script))

    resting = [route_of(house.post(body(model))) for _ in range(3)]
    time.sleep(1.05)
    rested = route_of(house.post(body(model)))

    assert set(resting) == {(200, providers[1], "1")}
    assert rested == (200, providers[0], "1")


def test_an_open_circuit_is_tried_all_the_same_when_nothing_else_is_left(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    model, providers = routes.model({})
    ready(house, model)
    busy = reply(529, provider.error("overloaded_error", "Busy"), ("retry-after", "60"))
    script = upstream.scripts(failing(providers, busy))
    first = house.post(body(model, script))

    second = house.post(body(model))

    assert (first.status, first.header("retry-after")) == (529, "60")
    assert route_of(second) == (200, providers[0], "1")


def test_in_a_full_outage_each_request_costs_one_attempt(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    model, providers = routes.model({}, {})
    ready(house, model)
    script = upstream.scripts(failing(providers, FAULTS["500"], FAULTS["500"]))

    answers = [house.post(body(model, script)) for _ in range(150)]

    assert {answer.status for answer in answers} == {500}
    retries = len(asked(upstream, script)) - len(answers)
    assert retries <= 0.2 * len(answers)
    assert answers[-1].header("x-gateway-attempts") == "1"


SESSION = [("x-claude-code-session-id", "11111111-2222-3333-4444-555555555555")]


def test_a_session_stays_at_one_provider(house: House, routes: Routes) -> None:
    model, _providers = routes.model(*[{"priority": 1}] * 4)
    ready(house, model)

    answers = [house.post(body(model), headers=SESSION) for _ in range(12)]

    assert len({answer.header("x-gateway-provider") for answer in answers}) == 1


def test_sessions_are_spread_over_providers(house: House, routes: Routes) -> None:
    model, providers = routes.model(*[{"priority": 1}] * 3)
    ready(house, model)

    chosen = {
        house.post(body(model), headers=[("x-claude-code-session-id", f"s-{n}")]).header("x-gateway-provider")
        for n in range(MANY)
    }

    assert chosen == set(providers)


def test_a_session_that_had_to_move_stays_where_its_prompt_is_cached_now(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    model, providers = routes.model({}, {})
    ready(house, model)
    script = upstream.scripts(failing(providers, FAULTS["529"]))
    moved = house.post(body(model, script), headers=SESSION)

    later = [house.post(body(model), headers=SESSION) for _ in range(3)]
    stranger = house.post(body(model))

    assert route_of(moved) == (200, providers[1], "2")
    assert {route_of(answer) for answer in later} == {(200, providers[1], "1")}
    assert route_of(stranger) == (200, providers[0], "1")


def test_a_marked_prompt_stays_at_one_provider_and_another_may_go_elsewhere(
    house: House, routes: Routes
) -> None:
    model, _providers = routes.model(*[{"priority": 1}] * 3)
    ready(house, model)

    def chosen(prompt: str) -> set[str | None]:
        system = [{"type": "text", "text": prompt, "cache_control": {"type": "ephemeral"}}]
        asked = [house.post(body(model, system=system) | {"max_tokens": 10 + n}) for n in range(4)]
        return {answer.header("x-gateway-provider") for answer in asked}

    each = [chosen(f"You are number {n}.") for n in range(12)]

    assert {len(one) for one in each} == {1}
    assert len(set.union(*each)) > 1


def test_a_request_that_one_provider_cannot_carry_goes_to_one_that_can(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    model, providers = routes.model({"dialect": "openai"}, {})
    ready(house, model)
    script = upstream.script(reply(200, provider.message()))
    tool = {"type": "web_search_20250305", "name": "web_search"}

    answer = house.post(body(model, script, tools=[tool]))

    assert route_of(answer) == (200, providers[1], "1")
    assert asked(upstream, script) == providers[1:]


@pytest.mark.parametrize("stream", [False, True])
def test_a_fallback_crosses_dialects(house: House, routes: Routes, upstream: Upstream, stream: bool) -> None:
    model, providers = routes.model({}, {"dialect": "openai"})
    ready(house, model)
    script = upstream.scripts(failing(providers, FAULTS["500"]))

    answer = house.post(body(model, script, stream=stream))

    assert route_of(answer) == (200, providers[1], "2")
    assert b"Hello" in answer.body and model.encode() in answer.body


def thought(signature: str) -> dict[str, Any]:
    return {"type": "thinking", "thinking": "Hm.", "signature": signature}


def with_thought(model: str, script: str, signature: str, **fields: Any) -> dict[str, Any]:
    turns = [
        {"role": "user", "content": f"Hello {script}"},
        {"role": "assistant", "content": [thought(signature), {"type": "text", "text": "Hi."}]},
        {"role": "user", "content": "And now?"},
    ]
    return {"model": model, "max_tokens": 100, "messages": turns, **fields}


@pytest.mark.parametrize("stream", [False, True])
def test_thinking_signed_by_another_provider_is_left_out_on_a_crossing_and_said_so(
    house: House, routes: Routes, upstream: Upstream, stream: bool
) -> None:
    model, providers = routes.model({}, {})
    ready(house, model)
    signature = f"signed-by-{providers[0]}-{stream}=="
    content = [thought(signature), {"type": "text", "text": "Hi."}]
    signed: Script = (
        provider.streamed(provider.frames(_thinking_events(signature)))
        if stream
        else reply(200, provider.message(content=content))
    )
    house.post(body(model, upstream.script(signed), stream=stream))
    script = upstream.scripts(failing(providers, FAULTS["529"]))

    answer = house.post(with_thought(model, script, signature))
    at_home, crossed = upstream.received(script)

    assert at_home.json["messages"][1]["content"][0] == thought(signature)
    assert crossed.json["messages"][1]["content"] == [{"type": "text", "text": "Hi."}]
    assert (answer.status, answer.header("x-gateway-dropped")) == (200, "signed_thinking")


def test_a_thought_that_a_responses_client_brings_back_does_not_cross_either(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    """It travels sealed in `encrypted_content`, where no signature can be seen."""
    model, providers = routes.model({"model": "claude-opus-4-6"}, {"model": "claude-opus-4-6"})
    ready(house, model)
    content = [thought(f"sealed-by-{providers[0]}=="), {"type": "text", "text": "Hi."}]
    signed = upstream.script(reply(200, provider.message(content=content)))
    asked = {"model": model, "reasoning": {"effort": "high"}}
    said = {"role": "user", "content": f"Hello {signed}"}
    first = house.post({**asked, "input": [said]}, path="/v1/responses").json
    script = upstream.scripts(failing(providers, FAULTS["529"]))

    again = [{"role": "user", "content": "Hello"}, *first["output"], {"role": "user", "content": script}]
    answer = house.post({**asked, "input": again}, path="/v1/responses")
    at_home, crossed = upstream.received(script)

    kinds = [[block["type"] for block in one.json["messages"][1]["content"]] for one in (at_home, crossed)]
    assert kinds == [["thinking", "text"], ["text"]]
    assert "signed_thinking" in str(answer.header("x-gateway-dropped"))


def _thinking_events(signature: str) -> list[dict[str, Any]]:
    start, *rest = provider.events()
    empty = {"type": "thinking", "thinking": "", "signature": ""}
    told = [
        {"type": "content_block_start", "index": 0, "content_block": empty},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "thinking_delta", "thinking": "Hm."},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "signature_delta", "signature": signature},
        },
        {"type": "content_block_stop", "index": 0},
    ]
    return [start, *told, *rest[-2:]]


def test_a_signature_that_nobody_here_has_seen_is_left_as_it_came(
    house: House, two: tuple[str, list[str]], upstream: Upstream
) -> None:
    model, _ = two
    ready(house, model)
    script = upstream.script(reply(200, provider.message()))

    house.post(with_thought(model, script, "signed-elsewhere=="))
    (received,) = upstream.received(script)

    assert received.json["messages"][1]["content"][0] == thought("signed-elsewhere==")


def test_thinking_that_nobody_signed_never_reaches_a_provider_that_signs(
    house: House, two: tuple[str, list[str]], upstream: Upstream
) -> None:
    model, _ = two
    ready(house, model)
    script = upstream.script(reply(200, provider.message()))

    answer = house.post(with_thought(model, script, ""))
    (received,) = upstream.received(script)

    assert received.json["messages"][1]["content"] == [{"type": "text", "text": "Hi."}]
    assert answer.header("x-gateway-dropped") == "unsigned_thinking"


def test_models_are_found_by_every_kind_of_name(house: House, routes: Routes, upstream: Upstream) -> None:
    model, providers = routes.model({}, {}, aliases=["routed-by-alias"])
    ready(house, model)
    names = [model, "routed-by-alias", f"{providers[1]}/{model}", f"{model}-20250929", f"{model}-latest"]

    answers = {name: house.post(body(name)) for name in names}

    assert {name: route_of(answer)[:2] for name, answer in answers.items()} == {
        name: (200, providers[1] if "/" in name else providers[0]) for name in names
    }


def test_the_router_needs_no_translated_answer_to_name_the_model(
    house: House, routes: Routes, upstream: Upstream
) -> None:
    """However a model was asked for, an answer of a translated route names it as the catalog does."""
    model, providers = routes.model({"dialect": "openai"}, aliases=["translated-by-alias"])
    ready(house, model)
    script = upstream.script(reply(200, chat.completion()))

    answers = [house.post(body(name, script)) for name in ("translated-by-alias", f"{providers[0]}/{model}")]

    assert [answer.json["model"] for answer in answers] == [model, model]
