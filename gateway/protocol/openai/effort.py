"""How hard a model shall think, from Anthropic's `thinking` and `output_config.effort` to one word."""

from __future__ import annotations

import msgspec

from gateway.errors import InvalidRequest
from gateway.protocol.openai.profile import EFFORTS, Profile


class Thinking(msgspec.Struct):
    type: str
    budget_tokens: int | None = None


_TYPES = ("enabled", "adaptive", "between_tools", "disabled")


def effort_from_anthropic(thinking: Thinking | None, effort: str | None, profile: Profile) -> str | None:
    """A word of `profile.efforts`, or None where the model's own default shall stand.

    Raises `InvalidRequest` for words that Anthropic does not have either.
    """
    if thinking is not None and thinking.type not in _TYPES:
        raise InvalidRequest(f"thinking.type: '{thinking.type[:40]}' is not known")
    if effort is not None and effort not in EFFORTS:
        raise InvalidRequest(f"output_config.effort: '{effort[:40]}' is not known")
    if thinking is not None and thinking.type == "disabled":
        return "none" if "none" in profile.efforts else None
    if effort is None and thinking is not None and thinking.budget_tokens is not None:
        effort = _of_budget(thinking.budget_tokens)
    return _nearest(effort, profile.efforts) if effort is not None else None


def _of_budget(tokens: int) -> str:
    if tokens < 4_000:
        return "low"
    return "medium" if tokens < 16_000 else "high"


def _nearest(effort: str, efforts: tuple[str, ...]) -> str | None:
    """The same word or its nearest neighbour, the stronger of two; never `none` for a wish to think."""
    wanted = EFFORTS.index(effort)
    known = [word for word in efforts if word != "none" or effort == "none"]
    return min(
        known, key=lambda word: (abs(EFFORTS.index(word) - wanted), -EFFORTS.index(word)), default=None
    )
