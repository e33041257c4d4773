"""Anthropic's thinking blocks inside `encrypted_content`, which every client sends back as it got it.

    gw1.<base64url of the block's JSON, signature and all>

Anthropic takes a thought back only as it signed it, so the whole block travels and the summary beside it is for
people. What another provider put into that field does not begin like this and says nothing here.
"""

from __future__ import annotations

import base64
import binascii

import msgspec

_PREFIX = "gw1."


class Thinking(msgspec.Struct, tag_field="type", tag="thinking"):
    """Unsigned where `signature` is empty."""

    thinking: str
    signature: str = ""


class RedactedThinking(msgspec.Struct, tag_field="type", tag="redacted_thinking"):
    data: str


Thought = Thinking | RedactedThinking

_thought: msgspec.json.Decoder[Thought] = msgspec.json.Decoder(Thought)


def sealed(thought: Thought) -> str | None:
    """The thought as `encrypted_content`; None for one that nobody signed, of which the summary says it all."""
    if isinstance(thought, Thinking) and not thought.signature:
        return None
    return _PREFIX + base64.urlsafe_b64encode(msgspec.json.encode(thought)).decode()


def opened(encrypted_content: str | None) -> Thought | None:
    """The thought that `sealed` wrote; None for what was written elsewhere."""
    if encrypted_content is None or not encrypted_content.startswith(_PREFIX):
        return None
    try:
        return _thought.decode(base64.urlsafe_b64decode(encrypted_content[len(_PREFIX) :]))
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
