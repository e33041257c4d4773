"""Rate limits over the Admin API, as the official SDK asks for them, and what the data plane makes of them."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterable
from typing import Any

import anthropic
import pytest
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from admin_api import pages
from admin_api.actions import api_keys, model_groups, models, organizations, workspaces
from admin_api.actor import SYSTEM
from admin_api.catalog import RouteTo
from gateway.errors import InvalidRequest
from gateway.limiters import LIMIT_NAMES
from gateway.models import ApiKey, AuditEntry, Organization, Workspace
from tests.admin_api.door import Door, admin_key
from tests.people import Cast

PATH = "/v1/organizations/rate_limits"
OURS = {"requests_per_minute": 50, "tokens_per_minute": 9000, "concurrent_requests": None}
HAIKU = "simulator/claude-haiku-5-5"
BATCHES = {"concurrent_requests": 50, "enqueued_batch_requests": 100_000}  # where nothing is said of them
NOT_OURS = ["requests_per_hour", "images_per_minute"]


@pytest.fixture
def client(door: Door, committed_people: Cast) -> anthropic.Anthropic:
    return door.sdk(admin_key(committed_people.acme)[1])


@pytest.fixture
def lab(committed_people: Cast) -> Workspace:
    return workspaces.create(actor=SYSTEM, organization=committed_people.acme, name="Lab")


def limit_to(organization: Organization, **limits: int | None) -> None:
    organizations.set_limits(actor=SYSTEM, organization=organization, limits=limits)


def entry_id(client: anthropic.Anthropic) -> str:
    return client.organization.rate_limits.list().data[0].id


def refusal(call: Callable[[], object]) -> str:
    """The words of a 400."""
    with pytest.raises(anthropic.BadRequestError) as refused:
        call()
    return str(refused.value.body["error"]["message"])  # type: ignore[index]


# --- The organization's ---


def test_an_organization_has_the_limits_of_its_tier_with_its_own_in_their_place(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    acme = committed_people.acme
    limit_to(acme, **OURS)
    organizations.set_models(actor=SYSTEM, organization=acme, allowed=["claude-haiku-4-5"])

    entry, batches, counting = client.organization.rate_limits.list()

    expected = {**acme.tier.limits, **OURS}
    assert entry.to_dict() == {
        "id": entry.id,
        "type": "rate_limit",
        "group": {"id": entry.group.id, "type": "model_group", "display_name": "All models"},
        "limits": [{"type": name, "value": expected[name]} for name in LIMIT_NAMES if expected.get(name)],
        "models": entry.models,
    }
    assert {limit.type for limit in entry.limits} == {"requests_per_minute", "tokens_per_minute"}
    assert batches.to_dict() == {
        "id": batches.id,
        "type": "rate_limit",
        "group": {"id": batches.group.id, "type": "batch"},
        "limits": [
            {"type": "concurrent_requests", "value": 50},
            {"type": "enqueued_batch_requests", "value": 100_000},
        ],
        "models": None,
    }
    assert counting.to_dict() == {
        "id": counting.id,
        "type": "rate_limit",
        "group": {"id": counting.group.id, "type": "token_count"},
        "limits": [{"type": "requests_per_minute", "value": 50}],
        "models": None,
    }
    assert "claude-haiku-4-5" in (entry.models or [])
    assert not any("opus" in name for name in entry.models or [])
    assert (entry.id[:5], entry.group.id[:6]) == ("rl_01", "rlg_01")


def test_models_come_with_all_their_names_and_without_those_that_are_denied(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    def shown() -> set[str]:
        return set(client.organization.rate_limits.list().data[0].models or [])

    before = shown()
    organizations.set_models(actor=SYSTEM, organization=committed_people.acme, denied=["claude-opus-*"])

    assert {name for name in before if name.startswith("claude-opus-")} == before - shown() != set()


def test_ids_stay_and_only_the_groups_is_the_same_everywhere(
    client: anthropic.Anthropic, door: Door, committed_people: Cast
) -> None:
    umbrella = door.sdk(admin_key(committed_people.umbrella)[1])

    ours, again = (client.organization.rate_limits.list().data[0] for _ in range(2))
    theirs = umbrella.organization.rate_limits.list().data[0]

    assert ours == again
    assert ours.group == theirs.group
    assert ours.id != theirs.id


def test_the_list_is_filtered_by_group_and_model(client: anthropic.Anthropic, committed_people: Cast) -> None:
    limits = client.organization.rate_limits
    (entry,) = limits.list(group_type="model_group")

    assert limits.list(group_type="skills").data == []
    for name in entry.models or []:
        assert [one.id for one in limits.list(model=name)] == [entry.id]
    organizations.set_models(actor=SYSTEM, organization=committed_people.acme, denied=["claude-opus-*"])
    for name in ("nothing", next(name for name in entry.models or [] if "opus" in name)):
        with pytest.raises(anthropic.NotFoundError, match=f"model: {name}"):
            limits.list(model=name)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=1001", "limit=x", "page=page_x", "group_type=models", "model=a%00b"]
)
def test_a_query_that_is_not_right_is_refused_by_name(
    client: anthropic.Anthropic, lab: Workspace, query: str
) -> None:
    paths = [PATH, f"/v1/organizations/workspaces/{lab.id}/rate_limits"]

    for path in paths if "model" not in query else paths[:1]:
        words = refusal(lambda path=path: client.get(f"{path}?{query}", cast_to=object))  # type: ignore[misc]
        assert words.startswith(query.partition("=")[0] + ": ")


def test_the_beta_namespace_and_small_pages_have_the_same(
    client: anthropic.Anthropic, lab: Workspace
) -> None:
    stable, beta = client.organization, client.beta.organization

    whole = stable.rate_limits.list().to_dict()["data"]
    assert [one.to_dict() for one in beta.rate_limits.list(limit=1)] == whole
    inherited = stable.workspaces.rate_limits.list(lab.id, include_inherited=True).to_dict()["data"]
    paged = beta.workspaces.rate_limits.list(lab.id, include_inherited=True, limit=1)
    assert [one.to_dict() for one in paged] == inherited
    assert (len(whole), len(inherited)) == (3, 3)


# --- Groups of models ---


def grouped(**models_in: list[str]) -> None:
    """Models of these names, served by the simulator, in these groups."""
    for name, inside in models_in.items():
        model_groups.upsert(actor=SYSTEM, name=name, display_name=f"{name.title()} models")
        for model in inside:
            models.upsert(actor=SYSTEM, name=model, routes=[RouteTo("simulator", model)], group=name)


def by_name(entries: Iterable[Any]) -> dict[str, Any]:
    """Each entry by what it is of."""
    return {getattr(entry.group, "display_name", entry.group.type): entry for entry in entries}


def told_limits(entry: Any) -> dict[str, int]:
    return {limit.type: limit.value for limit in entry.limits}


def test_each_group_of_models_has_an_entry_with_limits_of_its_own(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    acme = committed_people.acme
    grouped(large=["claude-opus-9", "claude-opus-8"], small=["tiny"], unseen=["secret"])
    limit_to(acme, requests_per_minute=50, tokens_per_minute=None, concurrent_requests=None)
    organizations.set_group_limits(
        actor=SYSTEM,
        organization=acme,
        group_limits={"large": {"requests_per_minute": 5}, "batch": {"tokens_per_day": 7}},
    )
    organizations.set_models(actor=SYSTEM, organization=acme, denied=["secret"])

    entries = list(client.organization.rate_limits.list())

    assert [(entry.group.type, list(told_limits(entry).items())) for entry in entries] == [
        ("model_group", [("requests_per_minute", 5)]),
        ("model_group", [("requests_per_minute", 50)]),
        ("model_group", [("requests_per_minute", 50)]),
        ("batch", [("tokens_per_day", 7), *BATCHES.items()]),
        ("token_count", [("requests_per_minute", 50)]),
    ]
    names = by_name(entries)
    assert list(names)[:3] == ["Large models", "Small models", "Other models"]
    assert set(names["Large models"].models) == {"claude-opus-9", "claude-opus-8"}
    assert names["Small models"].models == ["tiny"]
    assert "claude-haiku-4-5" in names["Other models"].models
    assert names["batch"].models is names["token_count"].models is None
    assert len({entry.id for entry in entries}) == len({entry.group.id for entry in entries}) == 5


def test_the_filters_find_the_one_group_of_a_model(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    grouped(large=["claude-opus-9"])
    limits = client.organization.rate_limits
    names = by_name(limits.list())

    assert limits.list(model="claude-opus-9").data == [names["Large models"]]
    assert limits.list(model="claude-opus-9-latest").data == [names["Large models"]]
    assert limits.list(model="claude-haiku-4-5").data == [names["Other models"]]
    assert limits.list(model="claude-opus-9", group_type="token_count").data == []
    assert limits.list(group_type="model_group").data == [names["Large models"], names["Other models"]]
    assert limits.list(group_type="token_count").data == [names["token_count"]]
    assert limits.list(group_type="web_search").data == []


def test_ids_stay_when_models_are_put_into_groups(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    before = entry_id(client)
    grouped(large=["claude-opus-9"])
    model_groups.upsert(actor=SYSTEM, name="large", display_name="Opus")

    names = by_name(client.organization.rate_limits.list())

    assert (names["Other models"].id, next(iter(names))) == (before, "Opus")


def test_a_workspaces_limits_hold_in_the_group_that_they_were_set_for(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    grouped(large=["claude-opus-9"])
    limit_to(committed_people.acme, requests_per_minute=50, tokens_per_minute=None, concurrent_requests=None)
    ids = {name: entry.id for name, entry in by_name(client.organization.rate_limits.list()).items()}
    limits = client.organization.workspaces.rate_limits

    def set_in(name: str, value: int | None) -> Any:
        one = {"type": "requests_per_minute", "value": value}
        return limits.update(ids[name], workspace_id=lab.id, limits=[one])  # type: ignore[list-item]

    above = set_in("Large models", 70)
    set_in("token_count", 3)

    assert [limit.to_dict() for limit in above.limits] == [
        {"type": "requests_per_minute", "value": 70, "org_limit": 50, "source": {"type": "workspace"}}
    ]
    own = by_name(limits.list(lab.id))
    assert {name: told_limits(entry) for name, entry in own.items()} == {
        "Large models": {"requests_per_minute": 70},
        "token_count": {"requests_per_minute": 3},
    }
    assert own["token_count"].models is None
    whole = by_name(limits.list(lab.id, include_inherited=True))
    assert {name: entry.limits[0].source.type for name, entry in whole.items()} == {
        "Large models": "workspace",
        "Other models": "organization",
        "batch": "organization",
        "token_count": "workspace",
    }
    assert limits.list(lab.id, group_type="token_count").data == [own["token_count"]]
    set_in("Large models", None)
    assert list(by_name(limits.list(lab.id))) == ["token_count"]
    lab.refresh_from_db()
    assert lab.group_limits == {"token_count": {"requests_per_minute": 3}}


def test_what_a_workspace_was_given_before_there_were_groups_holds_in_each_until_it_is_changed_there(
    client: anthropic.Anthropic, lab: Workspace
) -> None:
    grouped(large=["claude-opus-9"])
    Workspace.objects.filter(pk=lab.pk).update(limits={"requests_per_minute": 4, "tokens_per_minute": 5})
    limits = client.organization.workspaces.rate_limits
    names = by_name(limits.list(lab.id))

    def shown() -> dict[str, dict[str, int]]:
        return {name: told_limits(entry) for name, entry in by_name(limits.list(lab.id)).items()}

    def set_in_large(value: int | None) -> None:
        limits.update(
            names["Large models"].rate_limit_id,
            workspace_id=lab.id,
            limits=[{"type": "requests_per_minute", "value": value}],
        )

    everywhere = {"requests_per_minute": 4, "tokens_per_minute": 5}
    others = {"Other models": everywhere, "token_count": {"requests_per_minute": 4}}
    assert shown() == {"Large models": everywhere} | others
    set_in_large(9)
    assert shown() == {"Large models": everywhere | {"requests_per_minute": 9}} | others
    set_in_large(None)
    assert shown() == {"Large models": {"tokens_per_minute": 5}} | others
    limits.update(
        names["Large models"].rate_limit_id,
        workspace_id=lab.id,
        limits=[{"type": "tokens_per_minute", "value": 6}],
    )
    assert shown() == {"Large models": {"tokens_per_minute": 6}} | others
    set_in_large(4)
    lab.refresh_from_db()
    assert lab.group_limits == {"large": {"tokens_per_minute": 6}}


def test_a_group_without_models_of_ours_does_not_exist(
    client: anthropic.Anthropic, door: Door, committed_people: Cast, lab: Workspace
) -> None:
    grouped(large=["claude-opus-9"])
    theirs = by_name(client.organization.rate_limits.list())["Large models"].id
    organizations.set_models(actor=SYSTEM, organization=committed_people.acme, denied=["claude-opus-9"])

    assert "Large models" not in by_name(client.organization.rate_limits.list())
    with pytest.raises(anthropic.NotFoundError, match="Rate limit not found"):
        client.organization.workspaces.rate_limits.update(
            theirs, workspace_id=lab.id, limits=[{"type": "requests_per_minute", "value": 2}]
        )


def test_where_every_model_is_in_a_group_there_are_no_others(
    client: anthropic.Anthropic, committed_people: Cast
) -> None:
    grouped(large=["claude-opus-9"])
    organizations.set_models(actor=SYSTEM, organization=committed_people.acme, allowed=["claude-opus-9"])

    assert list(by_name(client.organization.rate_limits.list())) == ["Large models", "batch", "token_count"]


# --- A workspace's own ---


def test_a_workspaces_own_limits_are_listed_alone_or_among_what_it_inherits(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    limit_to(
        committed_people.acme, requests_per_minute=50, tokens_per_minute=None, output_tokens_per_minute=9
    )
    limits = client.organization.workspaces.rate_limits
    id = entry_id(client)
    assert limits.list(lab.id).data == []

    set_now = limits.update(
        id,
        workspace_id=lab.id,
        limits=[
            {"type": "requests_per_minute", "value": 70},
            {"type": "tokens_per_minute", "value": 1000},
            {"type": "output_tokens_per_minute", "value": None},
        ],
    )

    assert set_now.to_dict() == {
        "type": "workspace_rate_limit",
        "rate_limit_id": id,
        "workspace_id": lab.id,
        "group": {"id": set_now.group.id, "type": "model_group", "display_name": "All models"},
        "models": client.organization.rate_limits.list().data[0].models,
        "limits": [
            {"type": "requests_per_minute", "value": 70, "org_limit": 50, "source": {"type": "workspace"}},
            {"type": "tokens_per_minute", "value": 1000, "org_limit": None, "source": {"type": "workspace"}},
        ],
    }
    assert limits.list(lab.id).data == [set_now]
    assert limits.list(lab.id, group_type="files").data == []
    everything, *_ = limits.list(lab.id, include_inherited=True)
    assert [(one.type, one.source.type) for one in everything.limits] == [
        ("requests_per_minute", "workspace"),
        ("tokens_per_minute", "workspace"),
        ("output_tokens_per_minute", "organization"),
        ("concurrent_requests", "organization"),
    ]
    assert all(one.value == one.org_limit for one in everything.limits[2:])


def test_what_is_not_named_stays_and_null_takes_away(client: anthropic.Anthropic, lab: Workspace) -> None:
    limits = client.organization.workspaces.rate_limits
    id = entry_id(client)
    limits.update(id, workspace_id=lab.id, limits=[{"type": "requests_per_minute", "value": 2}])
    limits.update(id, workspace_id=lab.id, limits=[{"type": "tokens_per_minute", "value": 3}])

    left = limits.update(id, workspace_id=lab.id, limits=[{"type": "requests_per_minute", "value": None}])
    none = limits.update(id, workspace_id=lab.id, limits=[{"type": "tokens_per_minute", "value": None}])
    limits.update(id, workspace_id=lab.id, limits=[{"type": "tokens_per_minute", "value": None}])

    assert [(one.type, one.value) for one in left.limits] == [("tokens_per_minute", 3)]
    assert none.limits == []
    rpm, tpm = {"requests_per_minute": 2}, {"tokens_per_minute": 3}
    lines = AuditEntry.objects.filter(action="workspace.limits_set").order_by("id")
    assert [line.details for line in lines] == [
        {"pool": "default", "old": {}, "new": rpm},
        {"pool": "default", "old": rpm, "new": rpm | tpm},
        {"pool": "default", "old": rpm | tpm, "new": tpm},
        {"pool": "default", "old": tpm, "new": {}},
    ]
    assert {(line.actor_type, line.target_id) for line in lines} == {("api_key", lab.id)}


def test_a_workspace_shows_only_models_that_it_may_use(client: anthropic.Anthropic, lab: Workspace) -> None:
    workspaces.set_models(actor=SYSTEM, workspace=lab, denied=["claude-opus-*"])

    entry, *_ = client.organization.workspaces.rate_limits.list(lab.id, include_inherited=True)

    ours = client.organization.rate_limits.list().data[0].models or []
    assert entry.models == [name for name in ours if not name.startswith("claude-opus-")] != ours


RPM = {"type": "requests_per_minute", "value": 2}


@pytest.mark.parametrize(
    ("limits", "words"),
    [
        ("2", "limits: Input should be a valid list"),
        ([], "limits: List should have at least 1 item"),
        ([2], "limits.0: Input should be an object"),
        ([{"type": "requests_per_minute"}], "limits.0.value: Field required"),
        ([{"value": 2}], "limits.0.type: Field required"),
        ([RPM | {"more": 1}], "limits.0.more: Extra inputs"),
        ([RPM, RPM], "limits: requests_per_minute is given twice"),
        *[([RPM | {"value": value}], "limits.0.value: ") for value in (0, -1, True, "2", 2.0, 2.5, 10**13)],
        *[([RPM, {"type": type, "value": 2}], f"limits.1.type: '{type}' is no limit") for type in NOT_OURS],
        ([{"type": "x" * 10_000, "value": 2}], "limits.0.type: 'xxx"),
        ([{"type": ["a"], "value": 2}], "limits.0.type: "),
    ],
)
def test_a_limit_that_is_not_right_is_refused_by_name(
    client: anthropic.Anthropic, lab: Workspace, limits: Any, words: str
) -> None:
    path = f"/v1/organizations/workspaces/{lab.id}/rate_limits/{entry_id(client)}"

    said = refusal(lambda: client.post(path, body={"limits": limits}, cast_to=object))

    assert said.startswith(words)
    assert not words.endswith("is no limit") or ", ".join(LIMIT_NAMES) in said
    lab.refresh_from_db()
    assert (lab.limits, lab.group_limits) == ({}, {})


def test_how_much_of_batches_may_wait_is_limited_in_their_group_alone(
    client: anthropic.Anthropic, lab: Workspace
) -> None:
    models, batches = client.organization.rate_limits.list().data[:2]
    wanted = {"workspace_id": lab.id, "limits": [{"type": "enqueued_batch_requests", "value": 9}]}
    update = client.organization.workspaces.rate_limits.update

    said = refusal(lambda: update(models.id, **wanted))
    changed = update(batches.id, **wanted)

    assert said.startswith("limits.enqueued_batch_requests: only message batches have this limit")
    assert [(one.type, one.value, one.org_limit) for one in changed.limits] == [
        ("enqueued_batch_requests", 9, 100_000)
    ]
    organization = Organization.objects.get(pk=lab.organization_id)
    with pytest.raises(
        InvalidRequest, match=r"group_limits\.default\.enqueued_batch_requests: only message batches"
    ):
        organizations.set_group_limits(
            actor=SYSTEM,
            organization=organization,
            group_limits={"default": {"enqueued_batch_requests": 1}},
        )


def test_the_default_workspace_and_archived_ones_take_no_limits(
    client: anthropic.Anthropic, committed_people: Cast, lab: Workspace
) -> None:
    id = entry_id(client)
    default = Workspace.objects.get(organization=committed_people.acme, is_default=True)
    workspaces.archive(actor=SYSTEM, workspace=lab)

    def set_on(workspace: Workspace) -> str:
        update = client.organization.workspaces.rate_limits.update
        return refusal(
            lambda: update(
                id, workspace_id=workspace.id, limits=[{"type": "requests_per_minute", "value": 2}]
            )
        )

    assert "The default workspace cannot be changed" in set_on(default)
    assert "archived and cannot be changed" in set_on(lab)
    assert len(client.organization.workspaces.rate_limits.list(default.id, include_inherited=True).data) == 3


# --- What comes of it ---


def test_a_workspaces_limit_holds_within_a_second_and_so_does_its_end(
    client: anthropic.Anthropic, door: Door, committed_people: Cast, lab: Workspace
) -> None:
    limit_to(committed_people.acme, **dict.fromkeys(LIMIT_NAMES))
    _, key = api_keys.create(actor=SYSTEM, organization=committed_people.acme, name="k", workspace=lab)
    id, update = entry_id(client), client.organization.workspaces.rate_limits.update
    assert [ask(door, key) for _ in range(4)] == [200] * 4

    update(id, workspace_id=lab.id, limits=[{"type": "requests_per_minute", "value": 2}])
    assert becomes(lambda: ask(door, key), 429) < 1.0

    update(id, workspace_id=lab.id, limits=[{"type": "requests_per_minute", "value": None}])
    assert becomes(lambda: ask(door, key), 200) < 1.0
    assert [ask(door, key) for _ in range(4)] == [200] * 4


def test_two_requests_a_minute_are_two(
    client: anthropic.Anthropic, door: Door, committed_people: Cast, lab: Workspace
) -> None:
    """The limit is there before the key is: nothing has to be heard."""
    client.organization.workspaces.rate_limits.update(
        entry_id(client), workspace_id=lab.id, limits=[{"type": "requests_per_minute", "value": 2}]
    )
    _, key = api_keys.create(actor=SYSTEM, organization=committed_people.acme, name="k", workspace=lab)

    assert [ask(door, key) for _ in range(3)] == [200, 200, 429]


def test_the_organizations_lower_limit_holds_below_a_workspaces(
    client: anthropic.Anthropic, door: Door, committed_people: Cast, lab: Workspace
) -> None:
    limit_to(committed_people.acme, requests_per_minute=1)
    client.organization.workspaces.rate_limits.update(
        entry_id(client), workspace_id=lab.id, limits=[{"type": "requests_per_minute", "value": 1000}]
    )
    _, key = api_keys.create(actor=SYSTEM, organization=committed_people.acme, name="k", workspace=lab)

    assert [ask(door, key) for _ in range(2)] == [200, 429]


def test_each_group_of_models_counts_by_itself_and_so_does_counting_tokens(
    door: Door, committed_people: Cast
) -> None:
    grouped(large=["big"], small=["tiny"])
    acme = committed_people.acme
    _, free = api_keys.create(actor=SYSTEM, organization=acme, name="free")
    for model in ("big", "tiny"):
        assert becomes(lambda model=model: ask(door, free, model), 200) < 1.0  # type: ignore[misc]

    _, key = api_keys.create(
        actor=SYSTEM,
        organization=acme,
        name="held",
        limits={"requests_per_minute": 2},
        group_limits={"large": {"requests_per_minute": 1}},
    )

    assert [ask(door, key, "big") for _ in range(2)] == [200, 429]
    for model in ("tiny", HAIKU):
        assert [ask(door, key, model) for _ in range(3)] == [200, 200, 429]
    assert [ask(door, key, "big", "/v1/messages/count_tokens") for _ in range(3)] == [200, 200, 429]
    assert ask(door, free, "big") == 200


def ask(door: Door, key: str, model: str = HAIKU, path: str = "/v1/messages") -> int:
    """The status of a message that a key asks for."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": "user", "content": "Hello"}]}
    if not path.endswith("/count_tokens"):
        body["max_tokens"] = 1
    lines = [("content-type", "application/json"), ("anthropic-version", "2023-06-01")]
    return door.ask("POST", path, key=key, headers=lines, body=json.dumps(body).encode()).status


def becomes(status: Callable[[], int], expected: int) -> float:
    """Seconds until a status is the expected one."""
    since = time.monotonic()
    while status() != expected and time.monotonic() - since < 3:
        time.sleep(0.02)
    return time.monotonic() - since


# --- Isolation, pages, cost ---


def test_limits_of_another_organization_do_not_exist(
    client: anthropic.Anthropic, door: Door, committed_people: Cast, lab: Workspace
) -> None:
    theirs = workspaces.create(actor=SYSTEM, organization=committed_people.umbrella, name="Theirs")
    their_id = entry_id(door.sdk(admin_key(committed_people.umbrella)[1]))
    limits, ours = client.organization.workspaces.rate_limits, entry_id(client)

    def told(call: Callable[[], object]) -> str:
        with pytest.raises(anthropic.NotFoundError) as refused:
            call()
        return str(refused.value.body["error"]["message"])  # type: ignore[index]

    for id in (theirs.id, "wrkspc_01nothing", "wrkspc\x00"):
        assert told(lambda id=id: limits.list(id)) == "Workspace not found."  # type: ignore[misc]
        assert (
            told(lambda id=id: limits.update(ours, workspace_id=id, limits=[RPM]))  # type: ignore[misc,list-item]
            == "Workspace not found."
        )
    for id in (their_id, "rl_01nothing", "rl\x00"):
        assert (
            told(lambda id=id: limits.update(id, workspace_id=lab.id, limits=[RPM]))  # type: ignore[misc,list-item]
            == "Rate limit not found."
        )
    assert Workspace.objects.exclude(limits={}, group_limits={}).count() == 0


@dataclasses.dataclass(frozen=True)
class Entry:
    id: str


def test_short_lists_are_walked_by_their_own_cursors(people: Cast) -> None:
    entries = [Entry(id) for id in "abcde"]

    def page(organization: Organization = people.acme, of: str = "letters", **asked: Any) -> Any:
        return pages.of_list(entries, asked, organization=organization, of=of, key=lambda entry: entry.id)

    first = page(limit=2)
    second = page(limit=2, page=first.next_page)
    last = page(limit=2, page=second.next_page)

    assert [entry.id for one in (first, second, last) for entry in one.rows] == list("abcde")
    assert last.next_page is None
    assert [entry.id for entry in page(page=first.next_page).rows] == list("cde")
    for foreign in ({"organization": people.umbrella}, {"of": "digits"}):
        with pytest.raises(InvalidRequest, match="page: not a page of this list"):
            page(page=first.next_page, **foreign)


def test_lists_cost_few_queries(people: Cast, django_assert_num_queries: DjangoAssertNumQueries) -> None:
    _, secret = admin_key(people.acme)
    own = workspaces.create(actor=SYSTEM, organization=people.acme, name="Lab")
    path = f"/v1/organizations/workspaces/{own.id}/rate_limits?include_inherited=true"

    with django_assert_num_queries(5):  # the key with its organization, the tier, models, aliases, groups
        answer = Client().get(PATH, headers={"x-api-key": secret})
    with django_assert_num_queries(6):  # and the workspace
        inherited = Client().get(path, headers={"x-api-key": secret})

    assert answer.json()["data"][0]["models"] == inherited.json()["data"][0]["models"] != []
    assert ApiKey.objects.get().kind == "admin"
