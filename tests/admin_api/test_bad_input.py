"""What cannot be is refused by the name of its field, for every route: 400, nothing breaks, nothing changes.

Fields come from the forms of the handlers, so that a new route is tried as soon as it has its scenario.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from django.http import HttpResponse
from rest_framework import serializers

from tests.admin_api.routes import ROUTES, Route
from tests.admin_api.scenarios import SCENARIOS
from tests.admin_api.two_tenants import Scene, every_row, undone
from tests.admin_api.wrong_values import LONG, NUL, objects_in, wrong_in_body, wrong_in_query

TAKING = [route for route in ROUTES if route.forms.body is not None]
ASKING = [route for route in ROUTES if route.forms.query is not None]
NO_OBJECTS = [
    b"[]",
    b'"x"',
    b"7",
    b"null",
    b"true",
    b"{",
    b"{}}",
    b'{"a":}',
    b"\xff",
    b'{"name":"\\ud800"}',
    b"[" * 5_000,
    b'{"a":' * 5_000,
]
GARBAGE = ["x", "page_", "page_x", "page_x:y:z", "page_" + "é" * 40, "None", "../..", NUL, LONG]

taking = pytest.mark.parametrize("route", TAKING, ids=str)
asking = pytest.mark.parametrize("route", ASKING, ids=str)


@pytest.fixture(autouse=True)
def unchanged(scene: Scene) -> Iterator[None]:
    before = every_row()
    yield
    assert every_row() == before


# --- Bodies ---


@taking
def test_a_wrong_value_in_a_body_is_refused_by_its_name(route: Route, scene: Scene) -> None:
    """In the first of the right bodies, and in each further one where that has something else in the same place."""
    tried = []
    for right in _bodies(route, scene):
        for name, field in _fields(route):
            if (name, right.get(name)) in tried:
                continue
            tried.append((name, right.get(name)))
            for place, value in wrong_in_body(field, right.get(name)):
                _refused(scene, route, {**right, name: value}, ".".join((name, *place)))


@taking
def test_a_scenario_has_every_object_that_a_body_may_hold(route: Route, scene: Scene) -> None:
    """Else the test above would not try what is in it."""
    for place in objects_in(route.forms.body()):  # type: ignore[misc]
        assert any(_holds(right, place) for right in _bodies(route, scene)), place


@taking
def test_what_a_body_cannot_do_without_is_named(route: Route, scene: Scene) -> None:
    for right in _bodies(route, scene):
        for name in [name for name, field in _fields(route) if field.required]:
            without = {key: value for key, value in right.items() if key != name}
            message = _refused(scene, route, without, name)
            assert message == f"{name}: Field required"


@taking
def test_a_field_that_does_not_exist_is_named(route: Route, scene: Scene) -> None:
    for right in _bodies(route, scene):
        message = _refused(scene, route, {**right, "no_such_field": None}, "no_such_field")
        assert message == "no_such_field: Extra inputs are not permitted"
        _refused(scene, route, {**right, LONG: 1}, LONG[:100])


@taking
def test_a_body_that_is_no_object_is_refused(route: Route, scene: Scene) -> None:
    """Four for each, in turn: what reads bodies is the same for all routes."""
    for body in NO_OBJECTS[TAKING.index(route) % 3 :: 3]:
        _refused(scene, route, body)


@taking
def test_a_right_body_breaks_nothing_whatever_its_path_names(route: Route, scene: Scene) -> None:
    for parameter, wrong in itertools.product(route.parameters, (NUL, LONG, "é", " ", "%00", "..")):
        ids = SCENARIOS[str(route)].path_ids(route, scene.acme) | {parameter: wrong}
        with undone():
            for body in _bodies(route, scene):
                answer = scene.who_may(route).ask(route, route.at(ids), body)
                assert answer.status_code in (400, 404) or (answer.status_code == 200 and route.is_platform)


# --- Queries ---


@pytest.fixture(scope="module")
def cursors(whole_scene: Scene) -> dict[str, list[tuple[Route, str]]]:
    """Of every list, by what they are called in its answer."""
    return {kind: _cursors(whole_scene, kind) for kind in ("next_page", "last_id")}


@asking
def test_a_wrong_value_in_a_query_is_refused_by_its_name(route: Route, scene: Scene) -> None:
    for name, field in route.forms.query().fields.items():  # type: ignore[misc]
        for parameter, value in wrong_in_query(name, field):
            answer = _get(scene, route, {parameter: value})
            _named(answer, name)


@asking
def test_what_a_query_cannot_do_without_is_named(route: Route, scene: Scene) -> None:
    scenario = SCENARIOS[str(route)]
    for name, field in route.forms.query().fields.items():  # type: ignore[misc]
        if field.required:
            path = route.at(scenario.path_ids(route, scene.acme))
            assert _named(scene.who_may(route).ask(route, path), name) == f"{name}: Field required"


@asking
def test_only_one_direction_is_walked(route: Route, scene: Scene) -> None:
    if "before_id" in _names(route):
        first = _get(scene, route, {}).json()["first_id"]
        message = _named(_get(scene, route, {"after_id": first, "before_id": first}), "before_id")
        assert message == "before_id: Only one of after_id and before_id may be given"


@asking
def test_what_was_never_a_cursor_is_none(route: Route, scene: Scene) -> None:
    """Three for each of its names, in turn: what reads cursors is the same for all lists."""
    for turn, name in enumerate(sorted({"page", "after_id", "before_id"} & _names(route))):
        for garbage in GARBAGE[(ASKING.index(route) + turn) % 3 :: 3]:
            _named(_get(scene, route, {name: garbage}), name)


@asking
def test_no_list_takes_the_cursors_of_others(
    route: Route, scene: Scene, cursors: dict[str, list[tuple[Route, str]]]
) -> None:
    """Of pages none but its own, of ids none of another kind. Each list is given the pages of the three that follow."""
    if "page" in _names(route):
        for page in _of_neighbours(route, cursors["next_page"]):
            _named(_get(scene, route, {"page": page}), "page")
    for name in {"after_id", "before_id"} & _names(route):
        own = _get(scene, route, {"limit": "1"}).json()["last_id"]
        for id in {_kind(id): id for _, id in cursors["last_id"]}.values():
            if _kind(id) != _kind(own):
                _named(_get(scene, route, {name: id}), name)


@asking
def test_a_time_that_ends_before_it_begins_is_none(route: Route, scene: Scene) -> None:
    if {"starting_at", "ending_at"} <= _names(route):
        for end in ("2026-02-01T00:00:00Z", "2026-01-31T23:59:59Z", "0001-01-01T00:00:00Z"):
            times = {"starting_at": "2026-02-01T00:00:00Z", "ending_at": end}
            _named(_get(scene, route, times), "ending_at")


def _of_neighbours(route: Route, cursors: list[tuple[Route, str]], many: int = 3) -> list[str]:
    """The cursors of the next lists, in the round in which each follows another; never the list's own."""
    place = ASKING.index(route)
    following = sorted(cursors, key=lambda one: (ASKING.index(one[0]) - place) % len(ASKING))
    return [cursor for other, cursor in following if other != route][:many]


def _kind(id: str) -> str:
    return id.partition("_")[0] if "_" in id else id


def _bodies(route: Route, scene: Scene) -> list[dict[str, Any]]:
    return [body(scene.acme) for body in SCENARIOS[str(route)].bodies]


def _fields(route: Route) -> list[tuple[str, serializers.Field]]:
    return list(route.forms.body().fields.items())  # type: ignore[misc]


def _holds(value: Any, place: Sequence[str]) -> bool:
    if not place:
        return isinstance(value, dict)
    inner = dict(enumerate(value)) if isinstance(value, list) else value
    name = int(place[0]) if isinstance(value, list) else place[0]
    return bool(inner) and name in inner and _holds(inner[name], place[1:])


def _names(route: Route) -> set[str]:
    return set(route.forms.query().fields)  # type: ignore[misc]


def _refused(scene: Scene, route: Route, body: Any, name: str | None = None) -> str:
    """The message; the field's name stands before it. Nothing has changed."""
    path = route.at(SCENARIOS[str(route)].path_ids(route, scene.acme))
    answer = scene.who_may(route).ask(route, path, body if isinstance(body, bytes) else json.dumps(body))
    return _named(answer, name, sent=body)


def _named(answer: HttpResponse, name: str | None, sent: object = "") -> str:
    told = f"{str(sent)[:300]} -> {answer.content[:300]!r}"
    assert answer.status_code == 400, told
    assert answer.json()["error"]["type"] == "invalid_request_error", told
    message = str(answer.json()["error"]["message"])
    assert len(message) < 1_000
    assert name is None or _is_about(message.partition(": ")[0], name), told
    return message


def _is_about(told: str, path: str) -> bool:
    """Whether that is the field, what it stands in, or what stands in it."""
    return told == path or path.startswith(f"{told}.") or told.startswith(f"{path}.")


def _get(scene: Scene, route: Route, query: dict[str, Any]) -> HttpResponse:
    scenario = SCENARIOS[str(route)]
    path = route.at(scenario.path_ids(route, scene.acme))
    return scene.who_may(route).ask(route, path, query={**scenario.query, **query})


def _cursors(scene: Scene, kind: str) -> list[tuple[Route, str]]:
    """Of every list that has another page or an entry: its own name for where that begins."""
    found = []
    for route in ASKING:
        if "limit" in _names(route):
            cursor = _get(scene, route, {"limit": "1"}).json().get(kind)
            found += [(route, cursor)] if cursor else []
    return found
