"""How a model family's input tokens follow from counts in the o200k vocabulary, as rows.

The figures are estimates. o200k is the vocabulary of OpenAI's models since GPT-4o, so their factor is 1 (3
tokens frame each message and 3 prime the answer, from OpenAI's cookbook). Anthropic publishes no vocabulary:
1.2 is what English text and code come to when its count_tokens is compared with o200k, and 346 tokens is its
published price of the hidden prompt that explains tool use. Other vendors' vocabularies are of o200k's size
and come near to it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gateway.tokens.counts import Counts


@dataclass(frozen=True, slots=True)
class Profile:
    """Tokens of a request = text x factor + media + frames around messages and tools."""

    factor: float
    per_request: int
    per_message: int
    per_tool: int
    tool_prompt: int

    def total(self, counts: Counts) -> int:
        frames = self.per_request + self.per_message * counts.messages + self.per_tool * counts.tools
        prompt = self.tool_prompt if counts.tools else 0
        return math.ceil(counts.text_tokens * self.factor) + counts.media_tokens + frames + prompt


O200K = Profile(factor=1.0, per_request=3, per_message=3, per_tool=7, tool_prompt=0)
CLAUDE = Profile(factor=1.2, per_request=3, per_message=4, per_tool=10, tool_prompt=346)
MISTRAL = Profile(factor=1.1, per_request=3, per_message=4, per_tool=7, tool_prompt=0)

# Beginnings of model names, without a vendor's `anthropic/` in front; the first that fits, else o200k.
_ROWS: tuple[tuple[str, Profile], ...] = (
    ("claude", CLAUDE),
    ("mistral", MISTRAL),
    ("mixtral", MISTRAL),
    ("ministral", MISTRAL),
    ("codestral", MISTRAL),
    ("magistral", MISTRAL),
    ("devstral", MISTRAL),
)


def profile_for(model: str) -> Profile:
    """The profile of a model by the name that its provider knows it under (the route's `upstream_model`)."""
    name = model.rpartition("/")[2].lower()
    return next((profile for beginning, profile in _ROWS if name.startswith(beginning)), O200K)
