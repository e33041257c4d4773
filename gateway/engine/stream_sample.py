"""Some of the streams that clients get, held against the grammar of Anthropic's events while they pass.

`GATEWAY_STREAM_CHECK_SHARE` says how many. Nothing is held up or changed: a broken stream is logged and counted.
"""

from __future__ import annotations

import random

import structlog

from gateway import metrics
from gateway.directory.catalog import Target
from gateway.protocol.anthropic.grammar import BrokenStream, Grammar

log = structlog.get_logger(__name__)


class StreamSample:
    """One stream under observation."""

    def __init__(self, request_id: str, target: Target) -> None:
        self._grammar: Grammar | None = Grammar(ours=target.dialect == "openai")
        self._request_id = request_id
        self._target = target

    def see(self, frames: bytes, *, last: bool) -> None:
        """Look at frames on their way out; after the first fault there is nothing more to learn."""
        if self._grammar is None:
            return
        try:
            self._grammar.feed(frames)
            if last:
                self._grammar.finish()
        except BrokenStream as problem:
            self._grammar = None
            metrics.broken_stream(self._target.dialect)
            log.error(
                "stream_breaks_grammar",
                request_id=self._request_id,
                provider=self._target.provider,
                model=self._target.upstream_model,
                problem=str(problem).partition(" in b")[0],  # what follows are the caller's words
            )


def sample(share: float, request_id: str, target: Target) -> StreamSample | None:
    """An observer for `share` (0 to 1) of all streams."""
    return StreamSample(request_id, target) if share and random.random() < share else None
