"""What an upsert did: nothing, a new row, or fields that changed, each with the old and the new value."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Generic, TypeVar

Row = TypeVar("Row")
SECRET = "(secret)"


@dataclasses.dataclass(frozen=True)
class Change:
    """One field; values are shown to people and written to the audit log, so secrets come as `SECRET`."""

    field: str
    old: object
    new: object

    def __str__(self) -> str:
        if self.new is SECRET:
            return f"{self.field} changed"
        return f"{self.field} {shown(self.old)} -> {shown(self.new)}"


@dataclasses.dataclass(frozen=True)
class Upserted(Generic[Row]):
    row: Row
    created: bool
    changes: Sequence[Change] = ()

    def details(self) -> dict[str, list[str]]:
        return told(self.changes)


def differences(old: Mapping[str, object], new: Mapping[str, object]) -> list[Change]:
    """The fields of `new` whose value is another one than in `old`."""
    return [Change(name, old.get(name), value) for name, value in new.items() if old.get(name) != value]


def told(changes: Sequence[Change]) -> dict[str, list[str]]:
    """For the audit line: field to [old, new]."""
    return {change.field: [shown(change.old), shown(change.new)] for change in changes}


def shown(value: object) -> str:
    """A value as a person writes it in the file: exact decimals, no trailing zeros, `none` for nothing."""
    if value is None or value == "":
        return "none"
    if isinstance(value, Decimal):
        text = format(value, "f")
        return text.rstrip("0").rstrip(".") if "." in text else text
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, (list, tuple)):
        return "[" + ", ".join(shown(item) for item in value) + "]"
    return str(value)
