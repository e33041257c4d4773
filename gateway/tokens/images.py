"""What an image costs: PURE, and only the header of its file is looked at.

Anthropic's published rule: an image is scaled down to at most 1,568 pixels at its long edge and then costs
about width * height / 750 tokens, about 1,600 at most.
"""

from __future__ import annotations

import base64
import binascii
import math
import struct

MOST_TOKENS = 1_600
_LONG_EDGE = 1_568
_PIXELS_PER_TOKEN = 750
_HEADER_CHARACTERS = 64 * 1024  # of base64; a JPEG has its size behind up to 64 KB of metadata

Size = tuple[int, int]


def image_tokens(data: str) -> int:
    """Tokens of an image given as base64; the most that an image can cost where its size is not found."""
    try:
        header = base64.b64decode(data[:_HEADER_CHARACTERS] + "==")
        size = _png(header) or _gif(header) or _webp(header) or _jpeg(header)
    except (binascii.Error, ValueError, struct.error):
        return MOST_TOKENS
    return _tokens(size) if size else MOST_TOKENS


def _tokens(size: Size) -> int:
    scale = min(1.0, _LONG_EDGE / max(*size, 1))
    return max(1, min(MOST_TOKENS, math.ceil(size[0] * size[1] * scale * scale / _PIXELS_PER_TOKEN)))


def _png(header: bytes) -> Size | None:
    return struct.unpack_from(">II", header, 16) if header.startswith(b"\x89PNG\r\n\x1a\n") else None


def _gif(header: bytes) -> Size | None:
    return struct.unpack_from("<HH", header, 6) if header.startswith((b"GIF87a", b"GIF89a")) else None


def _webp(header: bytes) -> Size | None:
    """The three kinds of WebP: lossy, lossless, and extended (24-bit sizes, less one)."""
    if header[:4] != b"RIFF" or header[8:12] != b"WEBP":
        return None
    if header[12:16] == b"VP8 ":
        width, height = struct.unpack_from("<HH", header, 26)
        return width & 0x3FFF, height & 0x3FFF
    if header[12:16] == b"VP8L":
        (bits,) = struct.unpack_from("<I", header, 21)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    return int.from_bytes(header[24:27], "little") + 1, int.from_bytes(header[27:30], "little") + 1


def _jpeg(header: bytes) -> Size | None:
    """Walk the segments up to the frame header (C0-CF save the tables C4, C8, CC), which holds the size."""
    if not header.startswith(b"\xff\xd8"):
        return None
    position = 2
    while position + 9 <= len(header) and header[position] == 0xFF:
        marker = header[position + 1]
        if marker == 0xFF:  # a fill byte
            position += 1
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack_from(">HH", header, position + 5)
            return width, height
        position += 2 + int.from_bytes(header[position + 2 : position + 4], "big")
    return None
