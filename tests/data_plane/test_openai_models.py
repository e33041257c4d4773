"""`GET /v1/models` as the official `openai` SDK asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest

from gateway.credentials import new_secret
from tests.data_plane.house import ALIASES, SCRIPTED, SIMULATED, TRANSLATED, House
from tests.data_plane.wire import request


@pytest.fixture(scope="module")
def client(house: House) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=f"{house.base_url}/v1", api_key=house.key, max_retries=0) as client:
        yield client


def test_the_list_holds_every_model_once_with_its_owner(client: openai.OpenAI) -> None:
    models = list(client.models.list())

    owners = {model.id: model.owned_by for model in models}
    assert len(owners) == len(models)
    assert (
        owners.items() >= {SCRIPTED: "scripted", TRANSLATED: "translated", SIMULATED[0]: "simulator"}.items()
    )
    assert {model.object for model in models} == {"model"}
    assert all(model.created > 1_700_000_000 for model in models)


def test_the_list_has_openais_shape_and_nothing_else(house: House) -> None:
    page = house.get("/v1/models", headers=()).json

    assert page.keys() == {"object", "data"}
    assert page["object"] == "list"
    assert {tuple(model) for model in page["data"]} == {("id", "created", "owned_by", "object")}


def test_a_model_is_retrieved_by_its_name_or_an_alias(client: openai.OpenAI) -> None:
    for name in (SCRIPTED, *ALIASES):
        model = client.models.retrieve(name)

        assert (model.id, model.object, model.owned_by) == (SCRIPTED, "model", "scripted")


def test_an_unknown_model_is_not_found(client: openai.OpenAI) -> None:
    with pytest.raises(openai.NotFoundError) as caught:
        client.models.retrieve("gpt-from-nowhere")

    assert caught.value.body == {
        "message": "model: gpt-from-nowhere",
        "type": "not_found_error",
        "param": "model",
        "code": "model_not_found",
    }
    assert caught.value.request_id == caught.value.response.headers["request-id"]


def test_a_wrong_key_is_called_invalid(house: House) -> None:
    with (
        openai.OpenAI(base_url=f"{house.base_url}/v1", api_key=new_secret("api"), max_retries=0) as client,
        pytest.raises(openai.AuthenticationError) as caught,
    ):
        client.models.list()

    assert (caught.value.code, caught.value.type) == ("invalid_api_key", "authentication_error")


def test_the_id_of_a_request_is_told_by_both_names(client: openai.OpenAI) -> None:
    raw = client.models.with_raw_response.list()

    assert raw.headers["x-request-id"] == raw.headers["request-id"]


@pytest.mark.parametrize("path", ["/v1/models", f"/v1/models/{SCRIPTED}", "/v1/v1/models"])
@pytest.mark.parametrize("method", ["POST", "DELETE"])
def test_another_method_is_told_in_both_words(house: House, path: str, method: str) -> None:
    answer = house.get(path, method=method, headers=())

    assert (answer.status, answer.header("allow")) == (405, "GET, HEAD")
    assert answer.json["error"] == {
        "message": "Method Not Allowed",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


@pytest.mark.parametrize(
    ("version", "named"),
    [([], {"param", "code"}), ([("anthropic-version", "2023-06-01")], set())],
    ids=["openai", "anthropic"],
)
def test_a_header_that_comes_twice_is_refused_in_the_clients_words(
    house: House, version: list[tuple[str, str]], named: set[str]
) -> None:
    twice: list[tuple[str, Any]] = [("authorization", f"Bearer {house.key}")] * 2

    answer = house.ask(request("GET", "/v1/models", [*version, *twice]))

    assert (answer.status, answer.json["type"]) == (400, "error")
    assert answer.json["error"].keys() == {"type", "message", *named}
    assert answer.json["error"]["message"] == "authorization: header sent twice"
