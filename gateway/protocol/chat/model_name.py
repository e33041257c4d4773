"""The model's name in a provider's answer, replaced by the catalog's; every other byte stays."""

from __future__ import annotations

import re

import msgspec

_KEY = b'"model"'
_VALUE = re.compile(rb'"model"[ \t\r\n]*:[ \t\r\n]*(?P<value>"(?:[^"\\]|\\.)*"|null)')

_fields = msgspec.json.Decoder(dict[str, msgspec.Raw])


def with_model(answer: bytes, model: bytes) -> bytes | None:
    """`answer` holds one JSON object that has a `model` at its top, `model` is JSON. None where it is not plain to see.

    Inside a string a quote is escaped, so an only `"model"` is a key or a value; before a colon it is the key.
    """
    found = _VALUE.search(answer)
    if found is None or answer.count(_KEY) != 1:
        return None
    return b"".join((answer[: found.start("value")], model, answer[found.end("value") :]))


def rewritten(data: bytes, model: bytes) -> bytes:
    """The object with all its values' bytes, and its own `model`, written anew."""
    return msgspec.json.encode(_fields.decode(data) | {"model": msgspec.Raw(model)})
