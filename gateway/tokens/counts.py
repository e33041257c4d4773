"""What was counted in one request, and how it travels between the web process and the counting process."""

from __future__ import annotations

import struct
from typing import NamedTuple

# Request frame: id, length of the body, then the body. Answer frame: id and the four figures of `Counts`.
REQUEST = struct.Struct(">QI")
ANSWER = struct.Struct(">QIIII")
UNCOUNTABLE = 0xFFFF_FFFF  # in the place of `text_tokens`: the body could not be read


class Counts(NamedTuple):
    """Figures of one request, before a model's profile turns them into its input tokens."""

    text_tokens: int
    media_tokens: int
    messages: int
    tools: int
