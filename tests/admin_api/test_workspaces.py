"""Workspaces over the Admin API, as the official SDK asks for them, and what keys make of their end."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import anthropic
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from admin_api.actions import api_keys, workspaces
from admin_api.actor import SYSTEM
from gateway.errors import InvalidRequest
from gateway.models import ApiKey, AuditEntry, Organization, Workspace
from tests.admin_api.door import Door, admin_key, refused
from tests.people import Cast

PATH = "/v1/organizations/workspaces"
MODEL = "simulator/claude-haiku-5-5"
UNRESTRICTED = {
    "workspace_geo": "us",
    "allowed_inference_geos": "unrestricted",
    "default_inference_geo": "global",
}


@pytest.fixture
def client(door: Door, committed_people: Cast) -> anthropic.Anthropic:
    return door.sdk(admin_key(committed_people.acme)[1])


def make(organization: Organization, name: str = "Lab") -> Workspace:
    return workspaces.create(actor=SYSTEM, organization=organization, name=name)


def default_of(organization: Organization) -> Workspace:
    return Workspace.objects.get(organization=organization, is_default=True)


def says(client: anthropic.Anthropic, body: dict[str, Any], path: str = PATH) -> str:
    """The words of a 400, for bodies that the SDK's types do not let through."""
    with pytest.raises(anthropic.BadRequestError) as refusal:
        client.post(path, body=body, cast_to=object)
    return str(refusal.value.body["error"]["message"])  # type: ignore[index]


# --- Make and show ---


def test_a_workspace_is_made_and_shown_with_every_field(client: anthropic.Anthropic) -> None:
    made = client.organization.workspaces.create(name="Lab")

    row = Workspace.objects.get(name="Lab")
    assert made.to_dict(mode="python") == {
        "id": row.id,
        "type": "workspace",
        "name": "Lab",
        "display_color": "#6C5BB9",
        "compartment_id": "cmpt_" + row.id.removeprefix("wrkspc_"),
        "data_residency": UNRESTRICTED,
        "external_key_id": None,
        "user_profile_id": None,
        "tags": {},
        "created_at": row.created_at,
        "archived_at": None,
    }
    assert client.organization.workspaces.retrieve(made.id) == made
    line = AuditEntry.objects.get(action="workspace.created")
    assert (line.actor_type, line.target_id, line.details) == ("api_key", made.id, {"name": "Lab"})


def test_a_workspace_is_made_with_all_that_it_may_have(client: anthropic.Anthropic) -> None:
    made = client.organization.workspaces.create(
        name=" Lab ",
        display_color="#00ffAA",
        tags={"team": "research", "empty": ""},
        data_residency={
            "workspace_geo": "us",
            "allowed_inference_geos": ["us", "us"],
            "default_inference_geo": "us",
        },
        external_key_id=None,
        user_profile_id=None,
    )

    assert (made.name, made.display_color) == ("Lab", "#00ffAA")
    assert made.tags == {"team": "research", "empty": ""}
    assert made.data_residency.to_dict() == {
        "workspace_geo": "us",
        "allowed_inference_geos": ["us"],
        "default_inference_geo": "us",
    }


def test_null_in_a_new_workspace_is_the_usual(client: anthropic.Anthropic) -> None:
    made = client.organization.workspaces.create(
        name="Lab",
        display_color=None,
        tags=None,
        data_residency={
            "workspace_geo": None,
            "allowed_inference_geos": None,
            "default_inference_geo": None,
        },
    )

    assert (made.display_color, made.tags) == ("#6C5BB9", {})
    assert made.data_residency.to_dict() == UNRESTRICTED


NUL = "String should not contain NUL characters"
BAD = [
    ({}, "name: Field required"),
    ({"name": None}, "name: Input should not be null"),
    ({"name": ""}, "name: String should have at least 1 character"),
    ({"name": "  "}, "name: String should have at least 1 character"),
    ({"name": 7}, "name: Input should be a valid string"),
    ({"name": "n\x00"}, f"name: {NUL}"),
    ({"name": "n" * 10_000}, "name: String should have at most 200 characters"),
    ({"name": "n", "workspace": 1}, "workspace: Extra inputs are not permitted"),
    ({"name": "n", "display_color": "red"}, "display_color: Input should be a color such as #6C5BB9"),
    ({"name": "n", "display_color": "#12345"}, "display_color: Input should be a color such as #6C5BB9"),
    ({"name": "n", "display_color": 1}, "display_color: Input should be a valid string"),
    ({"name": "n", "external_key_id": "ek_1"}, "external_key_id: not offered by this gateway"),
    ({"name": "n", "user_profile_id": "up_1"}, "user_profile_id: not offered by this gateway"),
    ({"name": "n", "tags": []}, "tags: Input should be an object"),
    ({"name": "n", "tags": {"anthropic:a": "b"}}, "tags: Keys may not begin with 'anthropic'"),
    ({"name": "n", "tags": {"": "b"}}, "tags: String should have at least 1 character"),
    ({"name": "n", "tags": {" a": "b"}}, "tags: Keys should not have spaces around them"),
    ({"name": "n", "tags": {"k" * 129: "b"}}, "tags: String should have at most 128 characters"),
    ({"name": "n", "tags": {"\x00": "b"}}, f"tags: {NUL}"),
    ({"name": "n", "tags": {"a": 1}}, "tags.a: Input should be a valid string"),
    ({"name": "n", "tags": {"a": None}}, "tags.a: Input should not be null"),
    ({"name": "n", "tags": {"a": "b" * 257}}, "tags.a: String should have at most 256 characters"),
    (
        {"name": "n", "tags": {str(number): "" for number in range(51)}},
        "tags: a workspace has at most 50 tags",
    ),
]
RESIDENCE = "data_residency"
BAD_RESIDENCES: list[tuple[object, str]] = [
    ("us", ": Input should be an object"),
    ({"zone": "us"}, ".zone: Extra inputs are not permitted"),
    ({"workspace_geo": "eu"}, '.workspace_geo: "eu" is not a valid value; expected one of us'),
    ({"allowed_inference_geos": []}, ".allowed_inference_geos: List should have at least 1 item"),
    (
        {"allowed_inference_geos": ["eu"]},
        '.allowed_inference_geos.0: "eu" is not a valid value; expected one of global, us',
    ),
    (
        {"allowed_inference_geos": "us"},
        ".allowed_inference_geos: Input should be 'unrestricted' or a list",
    ),
    ({"allowed_inference_geos": {"us": 1}}, ".allowed_inference_geos: Input should be a valid list"),
    (
        {"default_inference_geo": "eu"},
        '.default_inference_geo: "eu" is not a valid value; expected one of global, us',
    ),
    (
        {"allowed_inference_geos": ["us"]},
        ".default_inference_geo: 'global' is not one of allowed_inference_geos",
    ),
]


@pytest.mark.parametrize(("body", "message"), BAD, ids=range(len(BAD)))
def test_what_cannot_be_a_workspace_is_refused_by_name(
    client: anthropic.Anthropic, body: dict[str, Any], message: str
) -> None:
    assert says(client, body) == message
    assert Workspace.objects.filter(is_default=False).count() == 0


@pytest.mark.parametrize(("residence", "message"), BAD_RESIDENCES, ids=range(len(BAD_RESIDENCES)))
def test_what_is_no_data_residency_is_refused_by_name(
    client: anthropic.Anthropic, residence: object, message: str
) -> None:
    assert says(client, {"name": "n", RESIDENCE: residence}) == RESIDENCE + message


def test_live_workspaces_have_names_of_their_own(client: anthropic.Anthropic, committed_people: Cast) -> None:
    make(committed_people.umbrella, "Lab")
    lab = client.organization.workspaces.create(name="Lab")
    other = client.organization.workspaces.create(name="Other")

    for attempt in (
        lambda: client.organization.workspaces.create(name="Lab"),
        lambda: client.organization.workspaces.create(name="Default"),
        lambda: client.organization.workspaces.update(other.id, name="Lab"),
    ):
        with pytest.raises(anthropic.BadRequestError, match=r"name: a workspace named '.*' exists already"):
            attempt()
    assert client.organization.workspaces.update(lab.id, name="Lab") == lab

    client.organization.workspaces.archive(lab.id)
    assert client.organization.workspaces.update(other.id, name="Lab").name == "Lab"


def test_there_are_a_hundred_live_workspaces_beside_the_default_one(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    acme = committed_people.acme
    rows = [Workspace(organization=acme, name=str(number)) for number in range(99)]
    Workspace.objects.bulk_create(rows)
    last = client.organization.workspaces.create(name="last")

    with pytest.raises(anthropic.BadRequestError, match="at most 100 workspaces beside the default one"):
        client.organization.workspaces.create(name="too many")

    client.organization.workspaces.archive(last.id)
    assert client.organization.workspaces.create(name="again").name == "again"


# --- List ---


def test_the_list_is_walked_in_both_directions(client: anthropic.Anthropic, committed_people: Cast) -> None:
    for name in ("A", "B", "C", "D"):
        make(committed_people.acme, name)
    make(committed_people.umbrella, "Theirs")

    first = client.organization.workspaces.list(limit=3)
    older = client.organization.workspaces.list(limit=3, after_id=first.last_id or "")

    assert [one.name for one in client.organization.workspaces.list(limit=1)] == ["D", "C", "B", "A"]
    assert ([one.name for one in first.data], first.has_more) == (["D", "C", "B"], True)
    assert ([one.name for one in older.data], older.has_more) == (["A"], False)
    assert (first.first_id, first.last_id) == (first.data[0].id, first.data[2].id)
    backwards = client.organization.workspaces.list(limit=1, before_id=older.last_id or "").iter_pages()
    assert [page.data[0].name for page in backwards] == ["B", "C", "D"]


def test_archived_and_default_ones_are_listed_where_asked_for(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    live, old = make(committed_people.acme, "Live"), make(committed_people.acme, "Old")
    theirs = make(committed_people.umbrella, "Theirs")
    client.organization.workspaces.archive(old.id)
    default = default_of(committed_people.acme)

    def names(**filters: Any) -> list[str]:
        return [one.name for one in client.organization.workspaces.list(**filters)]

    assert names() == ["Live"]
    assert names(include_archived=False, include_default=False) == ["Live"]
    assert names(include_archived=True) == ["Old", "Live"]
    assert names(include_default=True) == ["Live", "Default"]
    assert names(include_archived=True, include_default=True) == ["Old", "Live", "Default"]
    everything = [live.id, old.id, default.id, theirs.id, "wrkspc_01nothing"]
    assert names(ids=everything) == ["Live"]
    assert names(ids=everything, include_archived=True, include_default=True) == ["Old", "Live", "Default"]
    assert names(ids=[theirs.id]) == []
    assert names(after_id=old.id) == ["Live"]  # a page is walked on although its last one was archived


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("limit=0", "limit: Input should be greater than or equal to 1"),
        ("limit=1001", "limit: Input should be less than or equal to 1000"),
        ("include_archived=maybe", "include_archived: Input should be a valid boolean"),
        ("include_default=2", "include_default: Input should be a valid boolean"),
        ("after_id=a&before_id=b", "before_id: Only one of after_id and before_id may be given"),
        ("after_id=wrkspc_01nothing", "after_id: no object of this list has the id 'wrkspc_01nothing'"),
        ("ids[]=a%00", "ids.0: String should not contain NUL characters"),
        ("&".join(["ids[]=a"] * 101), "ids: List should have at most 100 items"),
    ],
)
def test_a_list_that_cannot_be_is_refused_by_name(
    door: Door, committed_people: Cast, query: str, message: str
) -> None:
    answer = door.ask(path=f"{PATH}?{query}", key=admin_key(committed_people.acme)[1])

    assert refused(answer, 400, "invalid_request_error") == message


def test_a_cursor_of_another_organization_is_none(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    theirs = make(committed_people.umbrella)

    with pytest.raises(anthropic.BadRequestError, match="before_id: no object of this list"):
        client.organization.workspaces.list(before_id=theirs.id)


def test_a_page_costs_two_queries_however_long_it_is(
    people: Cast, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    _, secret = admin_key(people.acme)
    Workspace.objects.bulk_create(
        Workspace(organization=people.acme, name=str(number)) for number in range(10)
    )

    with django_assert_num_queries(2):  # the key with its organization, the page
        answer = Client().get(f"{PATH}?limit=10", headers={"x-api-key": secret})

    assert (len(answer.json()["data"]), answer.json()["has_more"]) == (10, False)


# --- Change ---


def test_what_is_given_changes_and_the_rest_stays(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    lab = client.organization.workspaces.create(
        name="Lab", display_color="#111111", tags={"a": "1", "b": "2"}
    )

    changed = client.organization.workspaces.update(
        lab.id,
        name="Laboratory",
        tags={"a": None, "c": "3", "never": None},
        data_residency={"default_inference_geo": "us"},
        extra_body={"external_key_id": None, "user_profile_id": None},
    )

    assert changed == client.organization.workspaces.retrieve(lab.id)
    assert (changed.name, changed.display_color, changed.tags) == (
        "Laboratory",
        "#111111",
        {"b": "2", "c": "3"},
    )
    assert changed.data_residency.to_dict() == UNRESTRICTED | {"default_inference_geo": "us"}
    assert AuditEntry.objects.get(action="workspace.updated").details == {
        "old": {"default_inference_geo": "global", "name": "Lab", "tags": {"a": "1", "b": "2"}},
        "new": {"default_inference_geo": "us", "name": "Laboratory", "tags": {"b": "2", "c": "3"}},
    }


def test_a_change_of_nothing_is_none(client: anthropic.Anthropic) -> None:
    lab = client.organization.workspaces.create(name="Lab", tags={"a": "1"})

    for nothing in (
        {},
        {"tags": None},
        {"tags": {}},
        {"data_residency": None},
        {"data_residency": {"workspace_geo": "us", "allowed_inference_geos": None}},
        {"name": "Lab", "display_color": lab.display_color},
    ):
        assert client.organization.workspaces.update(lab.id, extra_body=nothing) == lab
    assert not AuditEntry.objects.filter(action="workspace.updated").exists()


def test_a_default_geography_stays_among_those_allowed(client: anthropic.Anthropic) -> None:
    lab = client.organization.workspaces.create(name="Lab")
    path = f"{PATH}/{lab.id}"

    assert says(client, {"data_residency": {"allowed_inference_geos": ["us"]}}, path) == (
        "data_residency.default_inference_geo: 'global' is not one of allowed_inference_geos"
    )
    both = client.organization.workspaces.update(
        lab.id, data_residency={"allowed_inference_geos": ["us"], "default_inference_geo": "us"}
    )
    assert both.data_residency.allowed_inference_geos == ["us"]
    assert "default_inference_geo" in says(
        client, {"data_residency": {"default_inference_geo": "global"}}, path
    )
    free = client.organization.workspaces.update(
        lab.id, data_residency={"allowed_inference_geos": "unrestricted"}
    )
    assert free.data_residency.to_dict() == UNRESTRICTED | {"default_inference_geo": "us"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"name": None}, "name: Input should not be null"),
        ({"name": ""}, "name: String should have at least 1 character"),
        ({"display_color": None}, "display_color: Input should not be null"),
        ({"display_color": "#12345G"}, "display_color: Input should be a color such as #6C5BB9"),
        ({"archived_at": None}, "archived_at: Extra inputs are not permitted"),
        ({"external_key_id": "ek_1"}, "external_key_id: not offered by this gateway"),
        ({"user_profile_id": "up_1"}, "user_profile_id: not offered by this gateway"),
        ({"tags": {"anthropic": None}}, "tags: Keys may not begin with 'anthropic'"),
        ({"tags": {str(number): "" for number in range(50)}}, "tags: a workspace has at most 50 tags"),
        (
            {"data_residency": {"workspace_geo": "eu"}},
            'data_residency.workspace_geo: "eu" is not a valid value; expected one of us',
        ),
    ],
)
def test_a_change_that_cannot_be_is_refused_by_name(
    client: anthropic.Anthropic, body: dict[str, Any], message: str
) -> None:
    lab = client.organization.workspaces.create(name="Lab", tags={"a": "1"})

    assert says(client, body, f"{PATH}/{lab.id}") == message
    assert client.organization.workspaces.retrieve(lab.id) == lab


def test_the_default_workspace_is_read_by_its_id_and_never_changed(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    default = default_of(committed_people.acme)

    assert client.organization.workspaces.retrieve(default.id).name == "Default"
    for attempt in (
        lambda: client.organization.workspaces.update(default.id, name="Ours"),
        lambda: client.organization.workspaces.update(default.id, tags={"a": "b"}),
        lambda: client.organization.workspaces.archive(default.id),
    ):
        with pytest.raises(anthropic.BadRequestError, match="The default workspace cannot be changed"):
            attempt()
    default.refresh_from_db()
    assert (default.name, default.tags, default.archived_at) == ("Default", {}, None)


# --- Archive ---


def test_an_archived_workspace_takes_its_keys_along(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    acme = committed_people.acme
    lab, other = make(acme), make(acme, "Other")
    for number, (workspace, status) in enumerate(
        [(lab, "active"), (lab, "inactive"), (lab, "archived"), (other, "active"), (None, "active")]
    ):
        key, _ = api_keys.create(actor=SYSTEM, organization=acme, name=str(number), workspace=workspace)
        api_keys.update(actor=SYSTEM, key=key, status=status)

    archived = client.organization.workspaces.archive(lab.id)
    again = client.organization.workspaces.archive(lab.id)

    assert archived.archived_at is not None
    assert again == archived == client.organization.workspaces.retrieve(lab.id)
    states = ApiKey.objects.filter(kind="api").order_by("name").values_list("status", flat=True)
    assert list(states) == ["archived", "archived", "archived", "active", "active"]
    line = AuditEntry.objects.get(action="workspace.archived")
    assert (line.target_id, line.details) == (lab.id, {"name": "Lab", "archived_api_keys": 2})


def test_an_archived_workspace_cannot_be_changed_and_gets_no_keys(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    lab = make(committed_people.acme)
    client.organization.workspaces.archive(lab.id)

    with pytest.raises(anthropic.BadRequestError, match="The workspace 'Lab' is archived"):
        client.organization.workspaces.update(lab.id, name="New")
    with pytest.raises(InvalidRequest, match="workspace: 'Lab' is archived"):  # the row in hand is older
        api_keys.create(actor=SYSTEM, organization=committed_people.acme, name="late", workspace=lab)


@pytest.mark.parametrize(("body", "status"), [(b"", 200), (b"{}", 200), (b'{"a":1}', 400), (b"[]", 400)])
def test_nothing_is_said_when_archiving(door: Door, committed_people: Cast, body: bytes, status: int) -> None:
    lab, (_, secret) = make(committed_people.acme), admin_key(committed_people.acme)
    json_body = [("content-type", "application/json")] if body else []

    answer = door.ask("POST", f"{PATH}/{lab.id}/archive", key=secret, headers=json_body, body=body)

    assert answer.status == status, answer.body


def test_the_keys_of_an_archived_workspace_stop_within_a_second(
    client: anthropic.Anthropic, door: Door, committed_people: Cast
) -> None:
    acme = committed_people.acme
    lab = client.organization.workspaces.create(name="Lab")
    row = Workspace.objects.get(pk=lab.id)
    _, own = api_keys.create(actor=SYSTEM, organization=acme, name="own", workspace=row)
    _, free = api_keys.create(actor=SYSTEM, organization=acme, name="free")
    here = {"anthropic-workspace-id": lab.id}
    assert ask(door, own) == ask(door, free) == ask(door, free, here) == 200

    client.organization.workspaces.archive(lab.id)

    assert becomes(lambda: ask(door, own), 401) < 1.0
    assert becomes(lambda: ask(door, free, here), 403) < 1.0
    assert ask(door, free) == 200


def ask(door: Door, key: str, headers: dict[str, str] | None = None) -> int:
    """The status of a message that a key asks for."""
    body = {"model": MODEL, "max_tokens": 1, "messages": [{"role": "user", "content": "Hello"}]}
    lines = [
        ("content-type", "application/json"),
        ("anthropic-version", "2023-06-01"),
        *(headers or {}).items(),
    ]
    return door.ask("POST", "/v1/messages", key=key, headers=lines, body=json.dumps(body).encode()).status


def becomes(status: Callable[[], int], expected: int) -> float:
    """Seconds until a status is the expected one."""
    since = time.monotonic()
    while status() != expected and time.monotonic() - since < 3:
        time.sleep(0.02)
    return time.monotonic() - since


# --- Isolation ---


def test_workspaces_of_another_organization_do_not_exist(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    theirs = make(committed_people.umbrella, "Theirs")

    for attempt in (
        lambda id: client.organization.workspaces.retrieve(id),
        lambda id: client.organization.workspaces.update(id, name="Ours"),
        lambda id: client.organization.workspaces.archive(id),
    ):
        errors = []
        for id in (theirs.id, default_of(committed_people.umbrella).id, "wrkspc_01nothing", "wrkspc\x00"):
            with pytest.raises(anthropic.NotFoundError) as refusal:
                attempt(id)
            errors.append(refusal.value.body["error"])  # type: ignore[index]
        assert errors == [{"type": "not_found_error", "message": "Workspace not found."}] * 4
    theirs.refresh_from_db()
    assert (theirs.name, theirs.archived_at) == ("Theirs", None)
