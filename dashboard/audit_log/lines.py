"""Entries of the audit log, ready to be read by people: who, what, on what, and what it was before."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from urllib.parse import urlencode

from django.urls import reverse

from admin_api.queries.audit_entries import names_of
from dashboard.frame.figures import of_cents
from gateway.models import AuditEntry

ACTORS = {
    "user": "person",
    "api_key": "Admin key",
    "operator_key": "operator key",
    "system": "command line",
}
NOUNS = {
    "api_key": "API key",
    "operator_key": "operator key",
    "sso": "single sign-on",
    "sso_connection": "identity provider",
}
BEFORE_AND_AFTER = ("changed", "created", "secret_replaced")  # actions whose details are pairs by field
MOST_BRIEF = 2  # changes that the list shows
LONGEST_BRIEF = 90  # characters of each
ABSENT = ("none", "[]", None, "")


@dataclasses.dataclass(frozen=True)
class Change:
    """One thing that an action says. Without `old` it is a fact; `compared` tells one from a change to nothing."""

    field: str
    old: str
    new: str
    compared: bool

    @property
    def brief(self) -> str:
        words = f"{self.old} → {self.new}" if self.compared and self.old else self.new
        words = f"{self.field}: {words}" if self.field else words
        return words if len(words) <= LONGEST_BRIEF else f"{words[:LONGEST_BRIEF]}…"


@dataclasses.dataclass(frozen=True)
class Line:
    """`actor` and `target` are names where they are known, else ids; `organization` is empty for the installation."""

    entry: AuditEntry
    actor: str
    actor_kind: str
    target: str
    target_kind: str
    target_url: str
    organization: str
    words: str
    changes: Sequence[Change]

    @property
    def brief(self) -> Sequence[Change]:
        return self.changes[:MOST_BRIEF]

    @property
    def more(self) -> int:
        return len(self.changes) - len(self.brief)

    @property
    def anchor(self) -> str:
        """A query that finds what else this actor did."""
        return urlencode({"actor": self.entry.actor_id or self.entry.actor_type})


def lines_of(entries: Sequence[AuditEntry], *, operator: bool = False) -> list[Line]:
    """One query for all names. Operators get links to what only they may see."""
    names = names_of(entries)
    return [_line(entry, names, operator) for entry in entries]


def words_of(action: str) -> str:
    """`api_key.secret_replaced` is "API key secret replaced"."""
    noun, _, verb = action.partition(".")
    words = f"{NOUNS.get(noun, noun.replace('_', ' '))} {verb.replace('_', ' ')}".strip()
    return words[:1].upper() + words[1:]


def changes_of(action: str, details: Mapping[str, object]) -> list[Change]:
    """What an entry's details say, by field."""
    if action.startswith("spend_limit."):
        details = _in_dollars(details)
    found = []
    if "old" in details and "new" in details:
        found += _compared(details["old"], details["new"])
    verb = action.rpartition(".")[2]
    for field, value in details.items():
        if field in ("old", "new") and "new" in details:
            if "old" not in details:
                found.append(Change("", "", _text(value), False))
        elif verb in BEFORE_AND_AFTER and isinstance(value, list) and len(value) == 2:
            found.append(Change(_field(field), _old(value[0]), _text(value[1]), True))
        else:
            found.append(Change(_field(field), "", _text(value), False))
    return found


def _line(entry: AuditEntry, names: Mapping[tuple[str, str], str], operator: bool) -> Line:
    kind = NOUNS.get(entry.target_type, entry.target_type.replace("_", " "))
    return Line(
        entry=entry,
        actor=_actor(entry, names),
        actor_kind=ACTORS.get(entry.actor_type, entry.actor_type),
        target=names.get((entry.target_type, entry.target_id), entry.target_id),
        target_kind=kind,
        target_url=_url(entry) if operator else "",
        organization=names.get(
            ("organization", str(entry.organization_id)), str(entry.organization_id or "")
        ),
        words=words_of(entry.action),
        changes=changes_of(entry.action, entry.details),
    )


def _actor(entry: AuditEntry, names: Mapping[tuple[str, str], str]) -> str:
    if entry.actor_type == "system":
        return "System"
    return names.get((entry.actor_type, entry.actor_id), entry.actor_id)


def _url(entry: AuditEntry) -> str:
    pages = {
        "provider": "provider",
        "model": "model",
        "tier": "tier",
        "organization": "operated_organization",
    }
    if entry.target_type not in pages or entry.action.endswith(".removed"):
        return ""
    return reverse(pages[entry.target_type], args=[entry.target_id])


def _compared(old: object, new: object) -> list[Change]:
    if isinstance(old, dict) and isinstance(new, dict):
        return [
            Change(_field(name), _old(old.get(name)), _text(new.get(name)), True)
            for name in sorted({*old, *new})
            if old.get(name) != new.get(name)
        ]
    return [Change("", _old(old), _text(new), True)]


def _in_dollars(details: Mapping[str, object]) -> Mapping[str, object]:
    """Amounts of spend limits are written down in cents."""
    cents = {name: details[name] for name in ("old", "new") if details.get(name) is not None}
    return {**details, **{name: of_cents(int(str(value))) for name, value in cents.items()}}


def _field(name: str) -> str:
    return name.replace("_", " ")


def _old(value: object) -> str:
    return "" if value in ABSENT else _text(value)


def _text(value: object) -> str:
    """As a person reads it; what has a shape of its own stays JSON."""
    if value is None or value == "":
        return "none"
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return ", ".join(value) or "none"
    return json.dumps(value, ensure_ascii=False)
