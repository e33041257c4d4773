"""JSON in which a provider cut its text between the halves of a surrogate pair: neither half is a character."""

from __future__ import annotations

import re
from typing import TypeVar

import msgspec

T = TypeVar("T")

# An escape of any kind; of the surrogates those that stand alone are captured.
_ESCAPE = re.compile(rb"\\u[dD][89abAB]..\\u[dD][c-fC-F]..|(\\u[dD][89a-fA-F]..)|\\.", re.DOTALL)


def decoded(data: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """Raises as the decoder does, but not for half characters: each is read as U+FFFD."""
    try:
        return decoder.decode(data)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        whole = _ESCAPE.sub(lambda escape: b"\\ufffd" if escape[1] else escape[0], data)
        if whole == data:
            raise
        return decoder.decode(whole)
