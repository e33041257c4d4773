"""`reasoning_effort` as what a model of Anthropic's understands: thinking, an effort, or a budget."""

from __future__ import annotations

from typing import NamedTuple

from msgspec import UNSET

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic import families
from gateway.protocol.anthropic.families import EFFORTS, Family
from gateway.protocol.anthropic.written import Thinking

MIN_BUDGET = 1024
_BUDGETS = {"minimal": 1024, "low": 1024, "medium": 2048, "high": 4096, "xhigh": 8192, "max": 16_384}


class Reasoning(NamedTuple):
    """None stands for the model's own default."""

    thinking: Thinking | None = None
    effort: str | None = None

    @property
    def thinks(self) -> bool:
        return self.thinking is not None and self.thinking.type != "disabled"


def reasoning_from_effort(word: str | None, family: Family, max_tokens: int) -> Reasoning:
    """Raises `InvalidRequest` for a word that OpenAI does not have either."""
    if word is None:
        return Reasoning()
    if word not in EFFORTS:
        raise InvalidRequest(f"reasoning_effort: Input should be {', '.join(map(repr, EFFORTS))}")
    if word == "none" and family.thinking in (families.Thinking.BUDGET, families.Thinking.ADAPTIVE):
        return Reasoning(Thinking("disabled"))
    effort = _nearest(word, family.efforts)
    if family.thinking in (families.Thinking.ADAPTIVE, families.Thinking.ALWAYS) and word != "none":
        return Reasoning(
            Thinking("adaptive", display="summarized" if family.hides_thinking else UNSET), effort
        )
    if family.thinking is families.Thinking.BUDGET:
        return Reasoning(_within(_BUDGETS[word], max_tokens))
    return Reasoning(None, effort)


def _within(budget: int, max_tokens: int) -> Thinking | None:
    """A quarter of the answer stays for what is said; where no thought fits beside it, there is none."""
    budget = min(budget, max_tokens * 3 // 4)
    return Thinking("enabled", budget) if budget >= MIN_BUDGET else None


def _nearest(word: str, efforts: tuple[str, ...]) -> str | None:
    """The same word or its nearest neighbour, the stronger of two."""
    wanted = EFFORTS.index(word)
    return min(
        efforts, key=lambda each: (abs(EFFORTS.index(each) - wanted), -EFFORTS.index(each)), default=None
    )
