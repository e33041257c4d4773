"""Checks lists of models that somebody may or may not use, at the door of an action."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Iterable, Sequence

from msgspec import UNSET, UnsetType

from gateway.errors import InvalidRequest
from gateway.model_rules import patterns_of
from gateway.models import ApiKey, Model, ModelAlias, Organization, Workspace

Names = Sequence[str]
Rules = dict[str, list[str]]  # by field: `allowed_models`, `denied_models`


def known_names() -> set[str]:
    """What a rule may name: every model of the catalog, the simulator's too, and every alias."""
    names = Model.objects.values_list("name", flat=True)
    return {*names, *ModelAlias.objects.values_list("alias", flat=True)}


def not_matching(name: str, known: Collection[str]) -> str:
    """What is wrong with a name in a rule, if anything: it has to mean at least one model of today."""
    if patterns_of((name,)).cover(known):
        return ""
    close = difflib.get_close_matches(name, known, 1)
    guess = f" (did you mean {close[0]}?)" if close else ""
    return f"no model has the name or alias {name!r}{guess}"


def stored_names(names: Iterable[str]) -> list[str]:
    """Names as they are stored, so that the same rules are the same lists."""
    return sorted(set(names))


def check_rules(allowed: Names | UnsetType, denied: Names | UnsetType) -> Rules:
    """The given lists as they are stored. Raises `InvalidRequest` for a name that means no model."""
    given = {"allowed_models": allowed, "denied_models": denied}
    rules = {field: stored_names(names) for field, names in given.items() if names is not UNSET}
    known = known_names() if any(rules.values()) else ()
    for field, names in rules.items():
        for name in names:
            if problem := not_matching(name, known):
                raise InvalidRequest(f"{field}: {problem}")
    return rules


def replace_rules(row: Organization | Workspace | ApiKey, rules: Rules) -> dict[str, object]:
    """Writes checked lists over those that held; returns both for the audit line."""
    old = {field: getattr(row, field) for field in rules}
    for field, names in rules.items():
        setattr(row, field, names)
    row.save(update_fields=list(rules))
    return {"old": old, "new": rules}
