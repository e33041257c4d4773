"""Which models may be used: the same two lists for organizations, workspaces and keys."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from admin_api.actions import api_keys, models, organizations, workspaces
from admin_api.actor import SYSTEM
from admin_api.catalog import RouteTo
from gateway.errors import InvalidRequest
from gateway.models import ApiKey, AuditEntry, Organization, Workspace
from tests.people import Cast

Holder = Organization | Workspace

SETTING: dict[str, tuple[Callable[[Cast], Holder], str, Callable[..., None]]] = {
    "organization": (lambda people: people.acme, "organization", organizations.set_models),
    "workspace": (lambda people: people.acme.workspaces.get(), "workspace", workspaces.set_models),
}


@pytest.mark.parametrize("kind", SETTING)
def test_a_list_that_is_not_given_stays_and_the_change_is_told(people: Cast, kind: str) -> None:
    find, parameter, set_models = SETTING[kind]
    row = find(people)
    models.upsert(actor=SYSTEM, name="m", routes=[RouteTo("simulator", "m")], aliases=["a"])
    set_models(actor=SYSTEM, **{parameter: row}, allowed=["m", "claude-*", "a", "m"])

    set_models(actor=SYSTEM, **{parameter: row}, denied=["*"])

    row.refresh_from_db()
    assert (row.allowed_models, row.denied_models) == (["a", "claude-*", "m"], ["*"])
    told = AuditEntry.objects.filter(action=f"{kind}.models_set").order_by("id")
    assert [(entry.target_id, entry.details) for entry in told] == [
        (str(row.pk), {"old": {"allowed_models": []}, "new": {"allowed_models": ["a", "claude-*", "m"]}}),
        (str(row.pk), {"old": {"denied_models": []}, "new": {"denied_models": ["*"]}}),
    ]


@pytest.mark.parametrize("kind", SETTING)
def test_a_rule_about_no_model_changes_nothing(people: Cast, kind: str) -> None:
    find, parameter, set_models = SETTING[kind]
    row = find(people)

    with pytest.raises(InvalidRequest) as refused:
        set_models(actor=SYSTEM, **{parameter: row}, denied=["claude-*", "claude-opus-55"])

    assert refused.value.message == (
        "denied_models: no model has the name or alias 'claude-opus-55' (did you mean claude-opus-5-5?)"
    )
    row.refresh_from_db()
    assert (row.allowed_models, row.denied_models) == ([], [])


def test_a_key_is_made_with_its_rules(people: Cast) -> None:
    key, _ = api_keys.create(
        actor=SYSTEM, organization=people.acme, name="CI", allowed_models=["claude-haiku-5-5"]
    )

    assert ApiKey.objects.get(pk=key.pk).allowed_models == ["claude-haiku-5-5"]
    assert AuditEntry.objects.get(action="api_key.created").details == {
        "name": "CI",
        "kind": "api",
        "workspace_id": None,
        "allowed_models": ["claude-haiku-5-5"],
    }


def test_an_admin_key_has_no_rules_about_models(people: Cast) -> None:
    with pytest.raises(InvalidRequest, match=r"^allowed_models: an Admin key calls no models$"):
        api_keys.create(
            actor=SYSTEM, organization=people.acme, name="Ops", kind="admin", allowed_models=["claude-*"]
        )
