"""What the two APIs really answer is what the OpenAPI document says, for every route with a scenario."""

from __future__ import annotations

import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from admin_api.openapi.document import document
from tests.admin_api.routes import ROUTES, Route
from tests.admin_api.scenarios import SCENARIOS
from tests.admin_api.two_tenants import Scene, undone

SCHEMA = document()


def schema_of(route: Route) -> dict[str, Any]:
    """Of the 200, with everything that it refers to."""
    operation = SCHEMA["paths"][re.sub(r"<(\w+)>", r"{\1}", route.path)][route.method.lower()]
    content = operation["responses"]["200"]["content"]["application/json"]
    return {"components": SCHEMA["components"], **content["schema"]}


@pytest.mark.parametrize("route", ROUTES, ids=str)
def test_an_answer_is_as_the_document_says(route: Route, scene: Scene) -> None:
    scenario = SCENARIOS[str(route)]
    path = route.at(scenario.path_ids(route, scene.acme))
    validator = Draft202012Validator(schema_of(route))

    for body in [make(scene.acme) for make in scenario.bodies] or [None]:
        with undone():
            answer = scene.who_may(route).ask(route, path, body, dict(scenario.query) or None)
        assert answer.status_code == 200, answer.content
        assert [f"{error.json_path}: {error.message}" for error in validator.iter_errors(answer.json())] == []


def test_it_is_written_in_the_words_of_its_own_version() -> None:
    Draft202012Validator.check_schema({"components": SCHEMA["components"]})

    assert "'nullable'" not in str(SCHEMA)


def test_no_form_bears_the_words_of_its_parent() -> None:
    told = [one["description"] for one in SCHEMA["components"]["schemas"].values() if "description" in one]

    assert not [about for about in told if about.startswith("The object of a POST")]
    assert "EmptyBody" in SCHEMA["components"]["schemas"] and "Body" not in SCHEMA["components"]["schemas"]


def test_its_description_tells_what_all_operations_have_in_common() -> None:
    about = SCHEMA["info"]["description"]

    assert re.findall(r"^\*\*(\w+)\*\*", about, re.MULTILINE) == [
        "Credentials",
        "Version",
        "Changes",
        "Lists",
        "Errors",
    ]


def test_what_a_parameter_says_is_true_of_its_operation() -> None:
    paths = SCHEMA["paths"]
    cost = {one.get("name"): one for one in paths["/v1/organizations/cost_report"]["get"]["parameters"]}
    change = paths["/v1/organizations/workspaces/{workspace_id}/rate_limits/{rate_limit_id}"]["post"]
    limit = next(one for one in change["parameters"] if one.get("name") == "rate_limit_id")

    assert cost["limit"]["description"] == "Days of a page: 7, at most 31."
    assert "/v1/organizations/rate_limits" in limit["description"]
