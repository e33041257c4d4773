"""What the models that speak Anthropic's dialect accept, as rows by the version in their name.

Clients of other dialects ask for things by other words; these rows say what may be asked of which model.
"""

from __future__ import annotations

import enum
import re
from dataclasses import dataclass

EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")


class Thinking(enum.Enum):
    """How a model is told to think."""

    NONE = "not at all"
    BUDGET = "within a number of tokens"
    ADAPTIVE = "as long as it finds right; effort steers it"
    ALWAYS = "as adaptive, and it cannot be told not to"


class Schemas(enum.Enum):
    """What becomes of a JSON schema that an answer or a tool's input must follow."""

    WORDS = "the model is only told"
    LIMITED = "enforced, for a part of JSON schema"
    ANY = "carried as it is"


@dataclass(frozen=True, slots=True)
class Family:
    """`efforts` are the words of `output_config.effort`; `hottest` is the highest temperature.

    `both_samplings`: temperature and top_p may stand together. `hides_thinking`: thoughts come only if asked for.
    """

    sampling: bool = True
    both_samplings: bool = True
    hottest: float = 1.0
    efforts: tuple[str, ...] = ()
    thinking: Thinking = Thinking.NONE
    hides_thinking: bool = False
    schemas: Schemas = Schemas.WORDS

    @property
    def effort(self) -> bool:
        return bool(self.efforts)


# The Anthropic form is then only the way to a provider of another dialect, which has rows of its own.
OPEN = Family(hottest=2.0, efforts=EFFORTS, schemas=Schemas.ANY)

_4_7 = Family(
    sampling=False,
    both_samplings=False,
    efforts=("low", "medium", "high", "xhigh", "max"),
    thinking=Thinking.ADAPTIVE,
    hides_thinking=True,
    schemas=Schemas.LIMITED,
)
_THINKS_ALWAYS = Family(
    sampling=False,
    both_samplings=False,
    efforts=("low", "medium", "high", "xhigh", "max"),
    thinking=Thinking.ALWAYS,
    hides_thinking=True,
    schemas=Schemas.LIMITED,
)
_4_6 = Family(
    both_samplings=False,
    efforts=("low", "medium", "high", "max"),
    thinking=Thinking.ADAPTIVE,
    schemas=Schemas.LIMITED,
)
_4_1 = Family(both_samplings=False, thinking=Thinking.BUDGET, schemas=Schemas.LIMITED)
_3_7 = Family(thinking=Thinking.BUDGET)
_OLDEST = Family()

_BY_NAME = re.compile(r"claude-(?:fable|mythos)\b")
_VERSION = re.compile(r"claude-(?:[a-z]+-)?(\d{1,2})(?:[-.](\d{1,2})(?!\d))?(?!\d)")
_SINCE = (((4, 7), _4_7), ((4, 6), _4_6), ((4, 1), _4_1), ((3, 7), _3_7))


def family_of(model: str) -> Family:
    """The row of a model as its provider calls it; one without a version of Claude's gets nothing special."""
    name = model.lower()
    if _BY_NAME.search(name):
        return _THINKS_ALWAYS
    found = _VERSION.search(name)
    version = (int(found[1]), int(found[2] or 0)) if found else (0, 0)
    return next((family for since, family in _SINCE if version >= since), _OLDEST)
