"""Thinking of earlier turns that a provider cannot read: blocks that nobody signed, or that another one did.

A provider refuses a signature that is not its own, and models of the OpenAI dialect sign nothing. All other bytes of
the conversation stay as they are, because prompt caches depend on them.
"""

from __future__ import annotations

import re
from collections.abc import Collection

import msgspec

from gateway.protocol.body import Body

# In a string of JSON both quotes would be escaped, so this is a field and no text.
_UNSIGNED = re.compile(rb'"signature"\s*:\s*""')
_SIGNATURE = re.compile(rb'"signature"\s*:\s*"((?:[^"\\]|\\.)+)"')


class _Message(msgspec.Struct):
    role: str = ""
    content: msgspec.Raw = msgspec.Raw()


class _Block(msgspec.Struct):
    type: str = ""
    signature: str = ""


_messages = msgspec.json.Decoder(list[msgspec.Raw])
_message = msgspec.json.Decoder(_Message)
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])
_blocks = msgspec.json.Decoder(list[msgspec.Raw])
_block = msgspec.json.Decoder(_Block)


def has_unsigned(raw: bytes) -> bool:
    """Whether some block may be unsigned; a few microseconds for most bodies, for it looks for a rare word."""
    return b'"signature"' in raw and _UNSIGNED.search(raw) is not None


def signatures(raw: bytes) -> set[str]:
    """The signatures in a body, as they are written there."""
    return {found.decode() for found in _SIGNATURE.findall(raw)} if b'"signature"' in raw else set()


def without_foreign(body: Body, foreign: Collection[str] = ()) -> tuple[bytes, bool]:
    """`messages` as JSON without thinking that is unsigned or signed by one of `foreign`; whether any was there.

    A turn that held nothing else goes with it. What cannot be read is left for the provider to judge.
    """
    kept: list[msgspec.Raw] = []
    found = False
    try:
        for raw in _messages.decode(body.fields["messages"]):
            message = _without(raw, foreign) if b'"signature"' in memoryview(raw).tobytes() else raw
            found = found or message is not raw
            if message is not None:
                kept.append(message)
    except msgspec.MsgspecError:
        return bytes(body.fields["messages"]), False
    return msgspec.json.encode(kept), found


def _without(raw: msgspec.Raw, foreign: Collection[str]) -> msgspec.Raw | None:
    content = _message.decode(raw).content
    if not bytes(content).startswith(b"["):
        return raw
    blocks = _blocks.decode(content)
    kept = [block for block in blocks if not _is_foreign(block, foreign)]
    if len(kept) == len(blocks):
        return raw
    if not kept:
        return None
    fields = _fields.decode(raw)
    fields["content"] = msgspec.Raw(msgspec.json.encode(kept))
    return msgspec.Raw(msgspec.json.encode(fields))


def _is_foreign(raw: msgspec.Raw, foreign: Collection[str]) -> bool:
    block = _block.decode(raw)
    return block.type == "thinking" and (not block.signature or block.signature in foreign)
