"""A stream cut at any byte ends in `message_stop` or in exactly one error, and never in half a frame.

With every run at each fourth byte and at those around the ends of lines; at each byte of all transcripts where there
is time (`make test-long`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import stream_grammar
from tests import upstream as provider
from tests.data_plane.house import HASTY, House, body
from tests.upstream import LAST_CHUNK, Close, Reset, Send, Upstream, chunk, stream_head

TRANSCRIPTS = sorted((Path(__file__).resolve().parents[1] / "transcripts").glob("*.sse"))
ENDINGS: list[list[provider.Step]] = [[Close()], [Reset()], [Send(LAST_CHUNK)]]


@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_a_stream_cut_anywhere_never_ends_silently(house: House, upstream: Upstream, path: Path) -> None:
    recorded = path.read_bytes()
    _cut_at(_telling(recorded), recorded, house, upstream)


@pytest.mark.long
@pytest.mark.parametrize("path", TRANSCRIPTS, ids=lambda path: path.stem)
def test_a_stream_cut_at_every_byte_never_ends_silently(house: House, upstream: Upstream, path: Path) -> None:
    recorded = path.read_bytes()
    _cut_at(range(len(recorded)), recorded, house, upstream)


def _cut_at(cuts: Sequence[int], recorded: bytes, house: House, upstream: Upstream) -> None:
    raws = [
        house.message(
            body(HASTY, upstream.script(_cut(recorded, at), ENDINGS[at % len(ENDINGS)]), stream=True)
        )
        for at in cuts
    ]

    answers = house.ask_all(raws, at_once=24)

    outcomes = Counter(
        _outcome(recorded, at, answer.status, answer.body) for at, answer in zip(cuts, answers, strict=True)
    )
    assert outcomes["error event"] > outcomes["refused"] > 0
    assert sum(outcomes.values()) == len(cuts)


def _telling(recorded: bytes) -> list[int]:
    around = {match.start() + by for match in re.finditer(rb"\n", recorded) for by in (-1, 0, 1)}
    return sorted(at for at in {*range(0, len(recorded), 4), *around} if at < len(recorded))


def _cut(recorded: bytes, at: int) -> provider.Script:
    return [Send(stream_head() + chunk(recorded[:at]))]


def _outcome(recorded: bytes, at: int, status: int, given: bytes) -> str:
    """What the client saw; raises `Broken` when that is no valid stream."""
    if status != 200:
        assert status in (500, 502, 503, 504), (at, status)
        assert b'"type":"error"' in given.replace(b" ", b"")
        return "refused"
    unix = _unix(given)
    events = stream_grammar.read(unix, may_fail=True, ours=False)
    relayed = unix[: unix.index(b"event: error")] if events[-1]["type"] == "error" else unix
    assert _without_pings(_unix(recorded)).startswith(_without_pings(relayed)), (at, given)
    if events[-1]["type"] == "error":
        return "error event"
    assert at > len(recorded) - 3, "only the blank line at the very end may be missing"
    return "whole"


def _unix(stream: bytes) -> bytes:
    """CR, LF and CRLF all end a line of server-sent events."""
    return re.sub(rb"\r\n?", b"\n", stream)


def _without_pings(stream: bytes) -> bytes:
    """On a busy machine a stream takes so long that the gateway fills a silence with pings of its own."""
    return re.sub(rb"event: ping\ndata: [^\n]*\n\n", b"", stream)
