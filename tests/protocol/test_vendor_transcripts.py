"""One conversation with each vendor of the OpenAI dialect, played from files.

A folder of `tests/transcripts/vendors` is named after its preset. What the client asks becomes exactly what the
vendor gets, and what the vendor streams becomes exactly what the client is told, however it is cut.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.protocol.anthropic.request import message_request
from gateway.protocol.body import parse
from gateway.protocol.openai.request import OpenAIRequest, openai_request
from gateway.protocol.openai.stream import OpenAIStream
from gateway.protocol.vendors import VENDORS
from tests import stream_grammar

TRANSCRIPTS = Path(__file__).parents[1] / "transcripts" / "vendors"
PRESETS = sorted(path.name for path in TRANSCRIPTS.iterdir() if path.is_dir())
_MINTED = re.compile(rb"toolu_01[0-9a-f]{22}")


def test_every_vendor_of_the_openai_dialect_has_a_transcript() -> None:
    assert {name for name, vendor in VENDORS.items() if vendor.dialect == "openai"} == set(PRESETS)


@pytest.mark.parametrize("preset", PRESETS)
def test_the_vendor_gets_what_the_client_means(preset: str) -> None:
    assert json.loads(_asked(preset).body) == _read(preset, "provider_request.json")


@pytest.mark.parametrize("size", [1 << 20, 1])
@pytest.mark.parametrize("preset", PRESETS)
def test_the_client_is_told_what_the_vendor_says(preset: str, size: int) -> None:
    asked = _asked(preset)
    stream = OpenAIStream(
        message_id="msg_1",
        model="catalog-model",
        input_estimate=12,
        tool_names=asked.tool_names,
        stop_sequences=asked.stop_sequences,
    )
    said = (TRANSCRIPTS / preset / "provider_stream.sse").read_bytes()
    told = b"".join(stream.feed(said[at : at + size]) for at in range(0, len(said), size)) + stream.finish()
    told = _MINTED.sub(b"toolu_minted", told)
    assert stream_grammar.read(told) == stream_grammar.frames(
        (TRANSCRIPTS / preset / "client_stream.sse").read_bytes()
    )
    assert not stream.estimated


def _asked(preset: str) -> OpenAIRequest:
    """The request in the vendor's dialect, for the model that the transcript names."""
    model = _read(preset, "provider_request.json")["model"]
    raw = json.dumps(_read(preset, "request.json"), separators=(",", ":")).encode()
    return openai_request(message_request(parse(raw)), model=model, profile=VENDORS[preset].profile_of(model))


def _read(preset: str, name: str) -> Any:
    return json.loads((TRANSCRIPTS / preset / name).read_bytes())
