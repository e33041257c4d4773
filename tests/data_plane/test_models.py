"""The models that a key may use, in Anthropic's and in OpenAI's shape."""

from __future__ import annotations

import datetime
from typing import Any

import pytest

from tests.data_plane.house import (
    ALIASES,
    CROSSING,
    CROSSING_BACK,
    DRAINED,
    HASTY,
    HASTY_TRANSLATED,
    REFUSED,
    SCRIPTED,
    SILENT,
    SIMULATED,
    SPARE,
    THINKING,
    TRANSLATED,
    House,
)

CONFIGURED = {SCRIPTED, HASTY, DRAINED, REFUSED, SPARE, SILENT, TRANSLATED, HASTY_TRANSLATED} | {
    THINKING,
    CROSSING,
    CROSSING_BACK,
}
FOR_CLAUDE_CODE = {"claude-gpt-scripted"}  # an alias of a model whose name it would pass over


def test_the_list_holds_configured_and_simulated_models_in_the_full_shape(house: House) -> None:
    page = house.get("/v1/models?limit=100").json

    assert _ids(page) == CONFIGURED | FOR_CLAUDE_CODE | set(SIMULATED)
    assert (page["has_more"], page["first_id"], page["last_id"]) == (
        False,
        page["data"][0]["id"],
        page["data"][-1]["id"],
    )
    (scripted,) = [model for model in page["data"] if model["id"] == SCRIPTED]
    _assert_full_shape(scripted)


def test_a_model_is_retrieved_by_its_name_and_by_an_alias_with_a_slash(house: House) -> None:
    by_name = house.get(f"/v1/models/{SCRIPTED}")
    by_alias = [house.get(f"/v1/models/{alias}") for alias in ALIASES]
    quoted = house.get(f"/v1/models/{ALIASES[1].replace('/', '%2F')}")

    assert by_name.status == 200
    assert [answer.json for answer in [*by_alias, quoted]] == [by_name.json] * 3
    _assert_full_shape(by_name.json)


def test_an_unknown_model_is_not_found(house: House) -> None:
    answer = house.get("/v1/models/claude-from-nowhere")

    assert (answer.status, answer.json["error"]["type"]) == (404, "not_found_error")
    assert answer.json["request_id"] == answer.header("request-id")


def test_pages_go_forth_and_back_and_together_are_the_list(house: House) -> None:
    whole = [model["id"] for model in house.get("/v1/models?limit=100").json["data"]]
    seen: list[str] = []
    after = ""
    while True:
        page = house.get(f"/v1/models?limit=4{after}").json
        seen += [model["id"] for model in page["data"]]
        if not page["has_more"]:
            break
        after = f"&after_id={page['last_id']}"
    back = house.get(f"/v1/models?limit=3&before_id={whole[5]}").json

    assert seen == whole
    assert [model["id"] for model in back["data"]] == whole[2:5]
    assert (back["has_more"], back["first_id"], back["last_id"]) == (True, whole[2], whole[4])


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=x", "limit=-1"])
def test_a_wrong_limit_is_refused_by_name(house: House, query: str) -> None:
    answer = house.get(f"/v1/models?{query}")

    assert (answer.status, answer.json["error"]["type"]) == (400, "invalid_request_error")
    assert answer.json["error"]["message"].startswith("limit: ")


def test_the_largest_page_is_a_thousand(house: House) -> None:
    assert house.get("/v1/models?limit=1000").status == 200


def test_both_cursors_at_once_are_refused(house: House) -> None:
    assert house.get(f"/v1/models?after_id={SCRIPTED}&before_id={SCRIPTED}").status == 400


def test_without_a_version_the_list_has_openais_shape(house: House) -> None:
    answer = house.get("/v1/models", headers=())
    page = answer.json

    assert page["object"] == "list"
    assert _ids(page) == CONFIGURED | FOR_CLAUDE_CODE | set(SIMULATED)
    for model in page["data"]:
        assert model["object"] == "model"
        assert isinstance(model["created"], int) and isinstance(model["owned_by"], str)


def test_without_a_version_one_model_has_openais_shape(house: House) -> None:
    model = house.get(f"/v1/models/{SCRIPTED}", headers=()).json

    assert (model["id"], model["object"]) == (SCRIPTED, "model")
    assert isinstance(model["created"], int) and isinstance(model["owned_by"], str)


def test_an_unknown_version_is_refused_here_too(house: House) -> None:
    assert house.get("/v1/models", headers=[("anthropic-version", "1999-01-01")]).status == 400


def test_models_need_a_key(house: House) -> None:
    for path in ("/v1/models", f"/v1/models/{SCRIPTED}"):
        answer = house.get(path, key="")
        assert (answer.status, answer.json["error"]["type"]) == (401, "authentication_error")


def _assert_full_shape(model: dict[str, Any]) -> None:
    created = datetime.datetime.fromisoformat(model["created_at"])
    assert created.utcoffset() == datetime.timedelta(0)
    assert {
        "id": SCRIPTED,
        "type": "model",
        "display_name": "The scripted one",
        "lifecycle": "active",
        "max_input_tokens": 200_000,
        "max_tokens": 64_000,
    }.items() <= model.items()
    assert {"line", "deprecated_at", "retires_at", "capabilities"} <= model.keys()


def _ids(page: dict[str, Any]) -> set[str]:
    """The names in a list, without those of the models that tests of routes make for themselves."""
    return {model["id"] for model in page["data"] if not model["id"].startswith("routed-")}
