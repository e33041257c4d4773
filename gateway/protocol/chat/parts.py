"""Parts of a chat message as blocks of an Anthropic message."""

from __future__ import annotations

import base64
import binascii
import re

import msgspec
from msgspec import UNSET

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.written import (
    Attachment,
    Base64Source,
    Document,
    Image,
    Text,
    TextSource,
    URLSource,
)

_DATA = re.compile(r"data:(?P<type>[\w.+-]+/[\w.+-]+)?(?:;[\w=.\"-]+)*?;base64,", re.ASCII | re.IGNORECASE)
_IMAGES = ("image/png", "image/jpeg", "image/gif", "image/webp")
_PDF = "application/pdf"
_BEGINNINGS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"%PDF-", _PDF),
)


class ImageURL(msgspec.Struct):
    url: str
    detail: str | None = None


class FileData(msgspec.Struct):
    file_data: str | None = None
    file_id: str | None = None
    filename: str | None = None


class Part(msgspec.Struct):
    """The fields of every kind of part; `type` says which of them count."""

    type: str
    text: str | None = None
    refusal: str | None = None
    image_url: ImageURL | str | None = None
    file: FileData | None = None


def blocks_from_part(part: Part, where: str) -> list[Attachment]:
    """The block that says the same, none for an empty text; raises `InvalidRequest` naming `where`."""
    if part.type in ("text", "refusal"):
        return texts(part.refusal if part.type == "refusal" else part.text)
    if part.type == "image_url" and part.image_url is not None:
        url = part.image_url if isinstance(part.image_url, str) else part.image_url.url
        return [_image(url, f"{where}.image_url.url")]
    if part.type == "file" and part.file is not None:
        return [_file(part.file, f"{where}.file")]
    if part.type in ("image_url", "file"):
        raise InvalidRequest(f"{where}.{part.type}: Field required")
    raise InvalidRequest(f"{where}.type: '{part.type[:64]}' parts cannot be carried to this model's provider")


def texts(text: str | None) -> list[Attachment]:
    """One text block, or none where there is nothing but white space, which Anthropic refuses."""
    return [Text(text)] if text and text.strip() else []


def _image(url: str, where: str) -> Image | Document:
    if url[:5].lower() == "data:":
        block = _of_bytes(*_from_data_uri(url, where), title=None, where=where)
        if isinstance(block.source, TextSource):
            raise InvalidRequest(f"{where}: Input should be an image")
        return block
    if not url.lower().startswith(("https://", "http://")):
        raise InvalidRequest(f"{where}: Input should be a data URI or a URL of http or https")
    return Image(URLSource(url))


def _file(file: FileData, where: str) -> Image | Document:
    if not file.file_data:
        missing = (
            "file_id: files kept at a provider cannot be carried"
            if file.file_id
            else "file_data: Field required"
        )
        raise InvalidRequest(f"{where}.{missing}")
    where = f"{where}.file_data"
    if file.file_data[:5].lower() == "data:":
        media_type, data = _from_data_uri(file.file_data, where)
    else:  # some clients send the bare base64
        media_type, data = "", file.file_data
    return _of_bytes(media_type, data, title=file.filename, where=where)


def _from_data_uri(uri: str, where: str) -> tuple[str, str]:
    """The media type as told, and the base64."""
    head = _DATA.match(uri)
    if head is None:
        raise InvalidRequest(f"{where}: Input should be a data URI with base64")
    return (head["type"] or "").lower(), uri[head.end() :]


def _of_bytes(media_type: str, data: str, *, title: str | None, where: str) -> Image | Document:
    """What the bytes say they are counts more than what the client calls them: Anthropic refuses a wrong name."""
    kind = _sniffed(data) or ("image/jpeg" if media_type == "image/jpg" else media_type)
    if not data:
        raise InvalidRequest(f"{where}: Input should not be empty")
    if kind in _IMAGES:
        return Image(Base64Source(kind, data))
    if kind == _PDF:
        return Document(Base64Source(_PDF, data), title or UNSET)
    if kind.startswith("text/") or kind == "application/json":
        return Document(TextSource(_text(data, where)), title or UNSET)
    raise InvalidRequest(f"{where}: data of type '{kind[:64]}' cannot be carried to this model's provider")


def _sniffed(data: str) -> str | None:
    try:
        head = base64.b64decode(data[:24])
    except (binascii.Error, ValueError):
        return None
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    return next((kind for beginning, kind in _BEGINNINGS if head.startswith(beginning)), None)


def _text(data: str, where: str) -> str:
    try:
        return base64.b64decode(data, validate=True).decode()
    except (binascii.Error, ValueError):
        raise InvalidRequest(f"{where}: Input should be base64 of text in UTF-8") from None
