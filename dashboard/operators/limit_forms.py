"""Limits as operators fill them in: a tier's, or an organization's own; for all groups of models, or a single pool."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

from django import forms

from dashboard.forms.form import Form
from dashboard.limits.live import LABELS
from gateway.limit_pools import BATCH, DEFAULT, TOKEN_COUNT, GroupLimits, Limits, names_in
from gateway.limiters import ENQUEUED, LIMIT_NAMES
from gateway.models import ModelGroup

NONE = "none"
WORDS = {
    **LABELS,
    "input_tokens_per_minute": "Input tokens per minute",
    "input_tokens_per_minute_cache_aware": "Input tokens per minute (cache-aware)",
    ENQUEUED: "Batch requests in the queue",
}
POOLS = {
    DEFAULT: "Models without a group",
    BATCH: "Message batches",
    TOKEN_COUNT: "Counting tokens",
}
_NUMBER = re.compile(r"[1-9]\d{0,12}", re.ASCII)


class LimitField(forms.CharField):
    """A whole number, empty for what holds anyway, and where it can be lifted the word `none`."""

    def __init__(self, label: str, *, lifting: bool) -> None:
        super().__init__(
            label=label, required=False, max_length=20, widget=forms.TextInput({"inputmode": "numeric"})
        )
        self._lifting = lifting

    def clean(self, value: Any) -> int | str | None:
        """The number; "" for nothing said, None for lifted."""
        text = re.sub(r"[\s,_]", "", str(super().clean(value) or "")).lower()
        if not text:
            return ""
        if self._lifting and text == NONE:
            return None
        if not _NUMBER.fullmatch(text):
            raise forms.ValidationError(
                f"Expected a whole number from 1{', or none' if self._lifting else ''}."
            )
        return int(text)


class LimitsForm(Form):
    """`lifting` where limits stand over a tier's, so that `none` takes one of those away."""

    def __init__(
        self, *args: Any, limits: Limits, group_limits: GroupLimits, lifting: bool, **kwargs: Any
    ) -> None:
        self._pools = pool_names()
        kwargs["initial"] = (
            kwargs.get("initial", {}) | _initial("limit", limits) | self._initial_of_pools(group_limits)
        )
        super().__init__(*args, **kwargs)
        self._add("limit", LIMIT_NAMES, lifting=lifting)
        for number, pool in enumerate(self._pools):
            self._add(f"pool{number}", names_in(pool), lifting=True)

    @property
    def of_all(self) -> list[forms.BoundField]:
        return [self[f"limit-{name}"] for name in LIMIT_NAMES]

    @property
    def of_pools(self) -> list[tuple[str, bool, list[forms.BoundField]]]:
        """What the pool is called, whether anything is set or wrong in it, and its fields."""
        found = []
        for number, (pool, words) in enumerate(self._pools.items()):
            fields = [self[f"pool{number}-{name}"] for name in names_in(pool)]
            found.append((words, any(field.value() or field.errors for field in fields), fields))
        return found

    def limits(self) -> dict[str, int | None]:
        return self._given("limit", LIMIT_NAMES)

    def group_limits(self) -> dict[str, dict[str, int | None]]:
        given = {
            pool: self._given(f"pool{number}", names_in(pool)) for number, pool in enumerate(self._pools)
        }
        return {pool: limits for pool, limits in given.items() if limits}

    def _add(self, prefix: str, names: Collection[str], *, lifting: bool) -> None:
        for name in names:
            field = LimitField(WORDS[name], lifting=lifting)
            field.widget.attrs["class"] = "input"
            self.fields[f"{prefix}-{name}"] = field

    def _given(self, prefix: str, names: Collection[str]) -> dict[str, int | None]:
        values = {name: self.cleaned_data[f"{prefix}-{name}"] for name in names}
        return {name: value for name, value in values.items() if value != ""}

    def _initial_of_pools(self, group_limits: GroupLimits) -> dict[str, object]:
        found: dict[str, object] = {}
        for number, pool in enumerate(self._pools):
            found |= _initial(f"pool{number}", group_limits.get(pool, {}))
        return found


def pool_names() -> dict[str, str]:
    """What pools are called, by their names: those that are always there, then groups of models."""
    groups = dict(ModelGroup.objects.order_by("name").values_list("name", "display_name"))
    return {**POOLS, **groups}


def _initial(prefix: str, limits: Mapping[str, int | None]) -> dict[str, object]:
    return {f"{prefix}-{name}": NONE if value is None else value for name, value in limits.items()}
