"""A guess of a request's input tokens from its bytes alone: PURE, for reservations at admission.

About 4 bytes make a token, in English as in Chinese. Base64 of images and PDFs is counted as what it shows,
not as text; it is found by looking at a few bytes of every 4 KB, since searching all of 5 MB takes 5 ms.
Measured: 0.1 us for 2 KB, 0.2 ms for 5 MB.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from gateway.tokens.documents import BYTES_PER_PAGE, PAGE_TOKENS
from gateway.tokens.images import MOST_TOKENS

BYTES_PER_TOKEN = 4
_WORTH_LOOKING = 8 * 1024  # bytes; in a smaller body base64 changes little
_STRIDE = 4 * 1024  # a shorter payload may be taken for text: at most 1,040 tokens too many
_BASE64 = re.compile(rb"[A-Za-z0-9+/]{64}")
_KEY = re.compile(rb'"data"\s*:\s*\Z')
_DATA_URL = re.compile(rb"data:[a-z]+/[a-z0-9.+-]+;base64,")
_KEY_BYTES = 64  # enough for the key before a value
_PDF = b"JVBERi"  # %PDF in base64


def quick_estimate(body: bytes) -> int:
    """Tokens, at least 1."""
    length = len(body)
    if length < _WORTH_LOOKING:
        return length // BYTES_PER_TOKEN or 1
    text, tokens = length, 0
    for start, end in _payloads(body):
        text -= end - start
        tokens += _payload_tokens(body, start, end)
    return text // BYTES_PER_TOKEN + tokens


def _payloads(body: bytes) -> Iterator[tuple[int, int]]:
    """Where base64 payloads begin and end: strings under a key `data`, and `data:` addresses."""
    position = seen = 0  # no string that ends before `seen` is looked at again: the walk stays linear
    while (position := position + _STRIDE) < len(body):
        if not _BASE64.match(body, position):
            continue
        opening = body.rfind(b'"', seen, position)
        closing = body.find(b'"', position)
        position = seen = closing if closing > 0 else len(body)
        start = _payload_start(body, opening)
        if start:
            yield start, seen


def _payload_start(body: bytes, opening: int) -> int:
    """Where the payload in a string begins, given its opening quote; 0 when the string is text."""
    if opening < 0:
        return 0
    url = _DATA_URL.match(body, opening + 1)
    if url:
        return url.end()
    return opening + 1 if _KEY.search(body, max(0, opening - _KEY_BYTES), opening) else 0


def _payload_tokens(body: bytes, start: int, end: int) -> int:
    length = end - start
    if body.startswith(_PDF, start):
        return PAGE_TOKENS * max(1, length * 3 // 4 // BYTES_PER_PAGE)
    return min(MOST_TOKENS, length // BYTES_PER_TOKEN)
