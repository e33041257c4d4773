"""The smallest files that show their size: headers of images, and a PDF of a few pages, as base64."""

from __future__ import annotations

import base64
import struct


def png(width: int, height: int) -> str:
    return _base64(b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sII", 13, b"IHDR", width, height) + bytes(400))


def jpeg(width: int, height: int, metadata: int = 2_000) -> str:
    application = b"\xff\xe1" + struct.pack(">H", metadata + 2) + bytes(metadata)
    frame = b"\xff\xc0" + struct.pack(">HBHHB", 17, 8, height, width, 3) + bytes(400)
    return _base64(b"\xff\xd8" + application + b"\xff\xff" + frame)


def gif(width: int, height: int) -> str:
    return _base64(b"GIF89a" + struct.pack("<HH", width, height) + bytes(40))


def webp(kind: bytes, width: int, height: int) -> str:
    if kind == b"VP8 ":
        size = bytes(6) + struct.pack("<HH", width, height)
    elif kind == b"VP8L":
        size = b"\x2f" + struct.pack("<I", width - 1 | (height - 1) << 14)
    else:
        size = bytes(4) + (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return _base64(b"RIFF" + bytes(4) + b"WEBP" + kind + bytes(4) + size + bytes(40))


def pdf(pages: int) -> str:
    return _base64(b"%PDF-1.7 << /Type /Pages >>" + b" << /Type /Page /Parent 1 0 R >>" * pages)


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
