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


def without_foreign(body: Body, foreign: Collection[str] = ()) -> tuple[dict[str, bytes], tuple[str, ...]]:
    """The fields that change where thinking is left out that is unsigned or signed by one of `foreign`, and the
    names of what was left out.

    A turn that held nothing else goes with it. Where a tool's result then follows a call without its thought, the
    provider would refuse to think at all, so it is not asked to. What cannot be read is left for it to judge.
    """
    try:
        kept, dropped = _kept(_messages.decode(body.fields["messages"]), foreign)
    except msgspec.MsgspecError:
        return {}, ()
    if not dropped:
        return {}, ()
    changed = {"messages": msgspec.json.encode(kept)}
    if _thinks_by_budget(body) and _answers_a_call(kept[-1]):
        changed["thinking"] = b'{"type":"disabled"}'
        dropped["thinking"] = None
    return changed, tuple(dropped)


def _kept(messages: list[msgspec.Raw], foreign: Collection[str]) -> tuple[list[msgspec.Raw], dict[str, None]]:
    kept: list[msgspec.Raw] = []
    dropped: dict[str, None] = {}
    for raw in messages:
        message = _without(raw, foreign, dropped) if b'"signature"' in bytes(raw) else raw
        if message is not None:
            kept.append(message)
    return kept, dropped


def _without(raw: msgspec.Raw, foreign: Collection[str], dropped: dict[str, None]) -> msgspec.Raw | None:
    content = _message.decode(raw).content
    if not bytes(content).startswith(b"["):
        return raw
    blocks = _blocks.decode(content)
    here: dict[str, None] = {}
    kept = [block for block in blocks if not _is_foreign(block, foreign, here)]
    if "signed_thinking" in here:  # whoever signed this sealed what stands beside it
        kept = [block for block in kept if not _is_redacted(block, here)]
    dropped.update(here)
    if len(kept) == len(blocks):
        return raw
    if not kept:
        return None
    fields = _fields.decode(raw)
    fields["content"] = msgspec.Raw(msgspec.json.encode(kept))
    return msgspec.Raw(msgspec.json.encode(fields))


def _is_foreign(raw: msgspec.Raw, foreign: Collection[str], dropped: dict[str, None]) -> bool:
    block = _block.decode(raw)
    if block.type != "thinking" or (block.signature and block.signature not in foreign):
        return False
    dropped["signed_thinking" if block.signature else "unsigned_thinking"] = None
    return True


def _is_redacted(raw: msgspec.Raw, dropped: dict[str, None]) -> bool:
    if _block.decode(raw).type != "redacted_thinking":
        return False
    dropped["redacted_thinking"] = None
    return True


def _thinks_by_budget(body: Body) -> bool:
    thinking = body.fields.get("thinking")
    return thinking is not None and _block.decode(thinking).type == "enabled"


def _answers_a_call(last: msgspec.Raw) -> bool:
    content = _message.decode(last).content
    if not bytes(content).startswith(b"["):
        return False
    return any(_block.decode(block).type == "tool_result" for block in _blocks.decode(content))
