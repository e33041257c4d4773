"""Finding stop sequences in text that arrives in pieces."""

from __future__ import annotations

from collections.abc import Sequence


class StopMatcher:
    """Text in, the text that may go on out. `held` is the longest end that could still become a stop sequence.

    The sequence that is whole first wins, of several that end together the longest, however the text is cut.
    """

    def __init__(self, sequences: Sequence[str]) -> None:
        self._sequences = [sequence for sequence in sequences if sequence]
        self.held = ""

    def feed(self, text: str) -> tuple[str, str | None]:
        """The text that may go on, and the stop sequence it ended before, if there was one."""
        if not self._sequences:
            return text, None
        text = self.held + text
        found = [(at + len(each), at, each) for each in self._sequences if (at := text.find(each)) >= 0]
        if found:
            _, start, sequence = min(found)
            self.held = ""
            return text[:start], sequence
        keep = max(_overlap(text, sequence) for sequence in self._sequences)
        self.held = text[len(text) - keep :]
        return text[: len(text) - keep], None

    def flush(self) -> str:
        """What was held: no more text follows, so it is no stop sequence."""
        held, self.held = self.held, ""
        return held


def cut(text: str, sequences: Sequence[str]) -> tuple[str, str | None]:
    """The part of a whole text that stands before a stop sequence, and that sequence, if there is one."""
    matcher = StopMatcher(sequences)
    kept, sequence = matcher.feed(text)
    return kept + matcher.flush(), sequence


def _overlap(text: str, sequence: str) -> int:
    """How many characters at the end of `text` are a beginning of `sequence`."""
    start = max(0, len(text) - len(sequence) + 1)
    while (start := text.find(sequence[0], start)) >= 0:
        if sequence.startswith(text[start:]):
            return len(text) - start
        start += 1
    return 0
