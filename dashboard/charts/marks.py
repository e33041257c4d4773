"""Which bars an axis names, so that no two names touch."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

MOST = 7


@dataclasses.dataclass(frozen=True)
class Mark:
    """What stands under a bar, from its left edge on; `minor` ones go where there is little room."""

    text: str
    minor: bool = False


def marks(labels: Sequence[str]) -> list[Mark]:
    """One for each bar: every so many have a text, the first among them, and none too near to the end."""
    every = -(-len(labels) // MOST) or 1
    last = len(labels) - every * 3 // 5
    return [
        Mark(label, minor=index // every % 2 == 1) if index % every == 0 and index <= last else Mark("")
        for index, label in enumerate(labels)
    ]
