"""Every route for everybody there is: whoever may not gets nothing, and nothing of another organization is to be had.

The routes come from the resolver. A new one needs its scenario in `scenarios.py`; all the rest is tried by itself.
"""

from __future__ import annotations

import collections
import itertools
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.http import HttpResponse
from rest_framework import serializers

from gateway.models import Organization
from tests.admin_api.routes import ROUTES, Route
from tests.admin_api.scenarios import SCENARIOS, Ids, Make, Scenario, keys_in, names_in
from tests.admin_api.two_tenants import Caller, Scene, every_row, like, undone

NAMES_SOMETHING = re.compile(r"(.+_)?ids?|email")
CURSORS = {"after_id", "before_id"}
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
ID, TIME = r"\b[a-z]+_01\w{22}\b", r"\d{4}-\d\d-\d\dT[\d:.]+(Z|\+00:00)"

every_route = pytest.mark.parametrize("route", ROUTES, ids=str)
tenants_routes = pytest.mark.parametrize("route", [one for one in ROUTES if not one.is_platform], ids=str)
reading = pytest.mark.parametrize(
    "route", [one for one in ROUTES if one.method == "GET" and not one.is_platform], ids=str
)


# --- The table ---


def test_every_route_has_its_scenario() -> None:
    assert sorted(SCENARIOS) == sorted(map(str, ROUTES))


@every_route
def test_a_scenario_names_all_that_its_route_takes_ids_of(route: Route) -> None:
    scenario, forms = SCENARIOS[str(route)], route.forms
    of_body = set(_names_of_ids(forms.body())) if forms.body else set()
    of_query = set(_names_of_ids(forms.query())) - CURSORS if forms.query else set()

    given = {key for body in scenario.bodies for key in keys_in(body(_names()))}
    filters = {key.removesuffix("[]") for key in scenario.filters(_names())}

    assert of_body <= given, "the bodies of the scenario leave these out"
    assert of_query == filters, "these are the filters that name something"


# --- Who may not ---


@every_route
def test_who_may_is_served(route: Route, scene: Scene) -> None:
    """Else the refusals below would tell nothing."""
    served = [caller for caller in scene.callers if caller.refusal(route) is None]
    assert served

    for caller in served:
        for body in SCENARIOS[str(route)].bodies or (_none,):
            with undone():
                answer = _ask(caller, route, scene.acme, body, SCENARIOS[str(route)].filters)
                assert answer.status_code == 200, (caller.name, answer.content)


@every_route
def test_who_may_not_gets_nothing_and_changes_nothing(route: Route, scene: Scene) -> None:
    """Each of them with one of the bodies, in turn."""
    before, scenario = every_row(), SCENARIOS[str(route)]
    refused = {caller: caller.refusal(route) for caller in scene.callers if caller.refusal(route)}

    for (caller, expected), body in zip(
        refused.items(), itertools.cycle(scenario.bodies or (_none,)), strict=False
    ):
        answer = _ask(caller, route, scene.acme, body, scenario.filters)

        error = answer.json()["error"]
        assert (answer.status_code, error["type"], error["message"]) == expected, caller.name
        assert answer.json().keys() == {"type", "error", "request_id"}
    assert every_row() == before


# --- What is another organization's ---


@tenants_routes
def test_what_is_umbrellas_looks_like_what_does_not_exist(route: Route, scene: Scene) -> None:
    scenario = SCENARIOS[str(route)]

    for body in scenario.bodies or (_none,):
        for name, inside in _ids_of(route, scenario, body, scene.acme):
            theirs, nothing = scene.umbrella[name], like(scene.umbrella[name])
            answers = []
            for id in (theirs, nothing):
                with undone():
                    before = every_row()
                    answer = _ask(scene.admin, route, scene.acme | {name: id}, body, scenario.filters)
                    answers.append((answer.status_code, _told(answer, id)))
                    assert answer.status_code == 200 or every_row() == before
                    assert _of_umbrella(scene, every_row()) == _of_umbrella(scene, before)
                    assert not _seen(scene, answer, given=id)
            assert answers[0] == answers[1], name
            assert answers[0][0] == 404 or (inside and answers[0][0] in (200, 400)), (name, answers[0])


@reading
def test_a_cursor_of_umbrella_is_none(route: Route, scene: Scene) -> None:
    """As the list gives them to Umbrella, and an id of theirs that was never a cursor."""
    form = route.forms.query
    cursors = [name for name in ("after_id", "before_id", "page") if form and name in form().fields]
    theirs = _ask(scene.mallory, route, scene.umbrella, query=_always({"limit": "1"} if cursors else {}))
    assert theirs.status_code == 200

    for name in cursors:
        cursor = theirs.json()["next_page" if name == "page" else "last_id"]
        if cursor is None:
            continue
        nothing = cursor[:-4] + "AAAA" if name == "page" else like(cursor)
        answers = [
            _ask(scene.admin, route, scene.acme, query=_always({name: one})) for one in (cursor, nothing)
        ]

        assert answers[0].status_code == answers[1].status_code == 400
        assert answers[0].json()["error"]["message"].startswith(f"{name}: ")
        assert _told(answers[0], cursor) == _told(answers[1], nothing)


@reading
def test_acme_is_told_the_same_whether_umbrella_exists_or_not(route: Route, scene: Scene) -> None:
    """So no list has, counts or sums up anything of Umbrella."""
    scenario = SCENARIOS[str(route)]
    queries = [_always({}), scenario.filters]
    if route.forms.query and "limit" in route.forms.query().fields:
        queries += [_always({"limit": "1"}), _always({"limit": "2"})]
    for query in queries:
        beside = _ask(scene.admin, route, scene.acme, query=query)
        with undone():
            _end(scene)
            alone = _ask(scene.admin, route, scene.acme, query=query)

        assert beside.status_code == alone.status_code == 200
        assert _told(beside) == _told(alone)
        assert not _seen(scene, beside)


def _none(ids: Ids) -> Any:
    return None


def _ask(
    caller: Caller, route: Route, ids: Ids, body: Make = _none, query: Make = lambda ids: {}
) -> HttpResponse:
    scenario = SCENARIOS[str(route)]
    asked = {**scenario.query, **query(ids)} if route.method == "GET" else None
    return caller.ask(route, route.at(scenario.path_ids(route, ids)), body(ids), asked)


def _always(values: dict[str, str]) -> Make:
    return lambda ids: values


def _names() -> Ids:
    """Any id at all, where only keys matter."""
    return collections.defaultdict(str)


def _names_of_ids(form: serializers.BaseSerializer) -> Iterator[str]:
    for name, field in getattr(form, "fields", {}).items():
        if NAMES_SOMETHING.fullmatch(name):
            yield name
        yield from _names_of_ids(getattr(field, "child", field))


def _ids_of(route: Route, scenario: Scenario, body: Make, ids: Ids) -> list[tuple[str, bool]]:
    """The names of the ids that a request has, and whether it has them in its body or its query."""
    inside = names_in(body, ids) + (names_in(scenario.filters, ids) if route.method == "GET" else [])
    path = [scenario.path.get(name, name) for name in route.parameters]
    return [*((name, False) for name in path), *((name, True) for name in inside if name not in path)]


def _told(answer: HttpResponse, given: str | None = None) -> Any:
    """The body without what is new with every request: its id, new rows' ids and times, cursors; and what was given."""
    told = answer.json()
    told.pop("request_id", None)
    if told.get("next_page"):
        told["next_page"] = "PAGE"
    text = json.dumps(told, sort_keys=True)
    if given is not None:
        text = text.replace(given, "GIVEN")
    return text if given is None else re.sub(TIME, "TIME", re.sub(ID, "ID", text))


def _seen(scene: Scene, answer: HttpResponse, given: str = "") -> set[str]:
    """What an answer to Acme holds of Umbrella: ids and names of all its rows, but for what Acme gave itself."""
    found = answer.content.decode().replace(given, "") if given else answer.content.decode()
    theirs = {id for _, row in _of_umbrella(scene, every_row()) for id in _ids_in(row)}
    return {id for id in _ids_in(found) if id in theirs - scene.of_both} | set(
        re.findall("umbrella", found, re.IGNORECASE)
    )


def _ids_in(text: str) -> list[str]:
    return [found[0] for found in re.finditer(f"{ID}|{UUID}", text)]


def _of_umbrella(scene: Scene, rows: list[tuple[str, str]]) -> list[tuple[str, str]]:
    return [row for row in rows if str(scene.umbrella_row.id) in row[1]]


def _end(scene: Scene) -> None:
    """Umbrella with all that is its own, the ledger too."""
    for model in apps.get_app_config("gateway").get_models():
        if model.__name__.startswith(("Usage", "LimitBlock")):
            model.objects.filter(organization_id=scene.umbrella_row.id).delete()
    Organization.objects.get(pk=scene.umbrella_row.pk).delete()
