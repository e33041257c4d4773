"""What operators change over HTTP is what the data plane does, within a second and in every process."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import anthropic
import httpx
import pytest
from anthropic import Anthropic

from tests import upstream as provider
from tests.data_plane.house import SIMULATED, Gateway, House, Tenant
from tests.upstream import Upstream

SECRET = "sk-operators-own-0123456789"
MODEL = "operators/claude:own"


@pytest.fixture
def operator(house: House) -> Iterator[httpx.Client]:
    """The catalog is left as it was found."""
    key = house.office.wish("operator_key")["secret"]
    with httpx.Client(base_url=f"{house.base_url}/platform/v1", headers={"x-api-key": key}) as client:
        yield client
        client.delete(f"/models/{MODEL}")
        client.delete("/providers/operators-own")


def test_a_provider_and_a_model_of_an_operator_serve_in_every_process(
    house: House, guarded: Gateway, upstream: Upstream, operator: httpx.Client
) -> None:
    script = upstream.script(provider.reply(200, provider.message("Hello, operator.")))
    place = {"dialect": "anthropic", "base_url": upstream.base_url, "api_keys": [{"key": SECRET}]}
    route = {"provider": "operators-own", "model": "upstream-model"}

    assert operator.post("/providers/operators-own", json=place).status_code == 200
    made = operator.post(
        f"/models/{MODEL}",
        json={"routes": [route], "aliases": ["own"], "price": {"input": "3", "output": "0.0000000001"}},
    )
    assert made.status_code == 200

    for port in (house.port, guarded.port):
        with Anthropic(base_url=f"http://127.0.0.1:{port}", api_key=house.key, max_retries=0) as client:
            within_a_second(lambda: ask(client, MODEL, script) == "Hello, operator.")
            assert ask(client, "own", script) == "Hello, operator."
    assert {one.header("x-api-key") for one in upstream.received(script)} == {SECRET}

    assert operator.delete(f"/models/{MODEL}").status_code == 200
    with Anthropic(base_url=house.base_url, api_key=house.key, max_retries=0) as client:
        within_a_second(lambda: ask(client, MODEL, script) == "not_found_error")


def test_a_suspended_organization_is_refused_and_a_resumed_one_served(
    house: House, operator: httpx.Client
) -> None:
    tenant = house.tenant()
    with Anthropic(base_url=house.base_url, api_key=tenant.key, max_retries=0) as client:
        assert "simulated" in ask(client, SIMULATED[0])

        assert operator.post(f"/organizations/{tenant.id}/suspend").status_code == 200
        within_a_second(lambda: ask(client, SIMULATED[0]) == "permission_error")
        with pytest.raises(anthropic.PermissionDeniedError, match="This organization has been suspended"):
            client.messages.create(model=SIMULATED[0], max_tokens=9, messages=[])

        assert operator.post(f"/organizations/{tenant.id}/resume").status_code == 200
        within_a_second(lambda: "simulated" in ask(client, SIMULATED[0]))


def test_limits_of_a_tier_and_of_an_organization_count_at_once(house: House, operator: httpx.Client) -> None:
    tenant = house.tenant()
    path = f"/organizations/{tenant.id}"

    operator.post("/tiers/tiny", json={"limits": {"requests_per_minute": 1}})
    assert operator.post(path, json={"tier": "tiny"}).status_code == 200
    within_a_second(lambda: _asked(house, tenant) == "rate_limit_error")

    assert operator.post("/tiers/tiny", json={"limits": {}}).status_code == 200
    within_a_second(lambda: "simulated" in _asked(house, tenant))

    assert operator.post(path, json={"denied_models": [SIMULATED[0]]}).status_code == 200
    within_a_second(lambda: _asked(house, tenant) == "permission_error")


def _asked(house: House, tenant: Tenant) -> str:
    with Anthropic(base_url=house.base_url, api_key=tenant.key, max_retries=0) as client:
        return ask(client, SIMULATED[0])


def ask(client: Anthropic, model: str, script: str = "") -> str:
    """The text of the answer, or the type of the refusal."""
    said = f"Hello {script}"
    try:
        message = client.messages.create(
            model=model, max_tokens=100, messages=[{"role": "user", "content": said}]
        )
    except anthropic.APIStatusError as refused:
        return str(refused.body["error"]["type"])  # type: ignore[index]
    return "".join(block.text for block in message.content if block.type == "text")


def within_a_second(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 1
    while not holds():
        assert time.monotonic() < deadline, "a second later it is still as it was"
        time.sleep(0.02)
