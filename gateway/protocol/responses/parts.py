"""Parts of a Responses message or output as blocks of an Anthropic message."""

from __future__ import annotations

from gateway.errors import InvalidRequest
from gateway.protocol.anthropic.written import Attachment
from gateway.protocol.chat import parts as chat
from gateway.protocol.responses.items import Part

_TEXTS = ("input_text", "output_text", "text", "summary_text", "reasoning_text")


def blocks_from_parts(parts: str | list[Part] | None, where: str) -> list[Attachment]:
    """Nothing for empty texts; raises `InvalidRequest` with the place of what cannot be carried."""
    if not isinstance(parts, list):
        return chat.texts(parts)
    return [block for at, part in enumerate(parts) for block in _blocks_from_part(part, f"{where}.{at}")]


def _blocks_from_part(part: Part, where: str) -> list[Attachment]:
    if part.type in _TEXTS:
        return chat.texts(part.text)
    if part.type == "refusal":
        return chat.texts(part.refusal)
    if part.type == "encrypted_content":
        # What one agent says to another; only OpenAI's models write it encrypted.
        return chat.texts(part.encrypted_content)
    if part.type == "input_image":
        _refuse_kept(part, where)
        return chat.blocks_from_part(_image(part, where), where)
    if part.type == "input_file":
        _refuse_kept(part, where)
        return chat.blocks_from_part(_file(part, where), where)
    raise InvalidRequest(f"{where}.type: '{part.type[:64]}' parts cannot be carried to this model's provider")


def _refuse_kept(part: Part, where: str) -> None:
    if part.file_id:
        raise InvalidRequest(f"{where}.file_id: files kept at a provider cannot be carried")


def _image(part: Part, where: str) -> chat.Part:
    if not part.image_url:
        raise InvalidRequest(f"{where}.image_url: Field required")
    return chat.Part("image_url", image_url=part.image_url)


def _file(part: Part, where: str) -> chat.Part:
    if part.file_url and not part.file_data:
        raise InvalidRequest(f"{where}.file_url: cannot be carried; send the file itself as `file_data`")
    return chat.Part("file", file=chat.FileData(part.file_data, None, part.filename))
