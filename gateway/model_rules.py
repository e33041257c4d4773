"""Which models an organization, a workspace or a key may use, as the hot path knows it.

A rule is a list of names in which `*` stands for anything. It is held against every name of a model, the
catalog's and its aliases, so that no other way of writing a model's name leads around it.
"""

from __future__ import annotations

import fnmatch
import functools
import re
from collections.abc import Collection, Sequence

import msgspec

WILDCARD = "*"
_OTHERS = re.compile(r"[\[?]")  # they mean something to fnmatch, and stand in names of models


class Patterns(msgspec.Struct, frozen=True):
    """Names of models, and names with wildcards as one expression."""

    exact: frozenset[str]
    wild: re.Pattern[str] | None

    def cover(self, names: Collection[str]) -> bool:
        """True if one of a model's names is meant."""
        if not self.exact.isdisjoint(names):
            return True
        return self.wild is not None and any(self.wild.match(name) for name in names)


class ModelRules(msgspec.Struct, frozen=True):
    """What one `holder` (`organization`, `workspace` or `api_key`) says; no `allowed` allows every model."""

    holder: str
    allowed: Patterns | None
    denied: Patterns | None

    def permit(self, names: Collection[str]) -> bool:
        """Whether the model with these names may be used, as far as this holder is concerned."""
        if self.denied is not None and self.denied.cover(names):
            return False
        return self.allowed is None or self.allowed.cover(names)


def rules_of(*holders: tuple[str, Sequence[str], Sequence[str]]) -> tuple[ModelRules, ...]:
    """The rules of holders that have any, each given as holder, allowed and denied names."""
    return tuple(
        ModelRules(holder, _some(allowed), _some(denied))
        for holder, allowed, denied in holders
        if allowed or denied
    )


def _some(names: Sequence[str]) -> Patterns | None:
    return patterns_of(tuple(names)) if names else None


@functools.lru_cache(maxsize=1024)  # the keys of an organization share its rules
def patterns_of(names: tuple[str, ...]) -> Patterns:
    """Names as written, ready to be held against those of models; case counts."""
    wild = [name for name in names if WILDCARD in name]
    expression = "|".join(fnmatch.translate(_OTHERS.sub(r"[\g<0>]", name)) for name in wild)
    return Patterns(frozenset(names).difference(wild), re.compile(expression) if wild else None)
