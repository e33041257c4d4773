"""A file of requests for a batch, `{"custom_id": ..., "params": {...}}` a line: looked at whole before any of it runs.

What is wrong is told by the line that it stands in. The file is read twice, to check it and to store it, so that no
more than a line of it is in memory.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from typing import Annotated, Any

import msgspec
from django.core.files.uploadedfile import UploadedFile

from gateway.directory.catalog import Catalog
from gateway.errors import InvalidRequest
from gateway.model_rules import rules_of
from gateway.models import ApiKey
from gateway.protocol.anthropic.batch_body import MOST_ITEMS, Item, Items

MOST_TOLD = 50  # lines that are told; the others are counted
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_PLACE = re.compile(r"requests\.(\d+)")


class Params(msgspec.Struct):
    """What no message does without. What else is wrong with one, its provider says when it is run."""

    model: Annotated[str, msgspec.Meta(min_length=1)]
    max_tokens: Annotated[int, msgspec.Meta(ge=1)]
    messages: Annotated[list[msgspec.Raw], msgspec.Meta(min_length=1)]


_params = msgspec.json.Decoder(Params)


@dataclasses.dataclass(frozen=True)
class Problem:
    """`line` counts from 1; 0 is the file as a whole."""

    line: int
    words: str


@dataclasses.dataclass
class Checked:
    """`problems` are at most `MOST_TOLD`, `wrong` all lines with one. `models` are requests by model."""

    total: int = 0
    wrong: int = 0
    problems: list[Problem] = dataclasses.field(default_factory=list)
    models: dict[str, int] = dataclasses.field(default_factory=dict)

    @property
    def right(self) -> bool:
        return not self.wrong

    @property
    def more(self) -> int:
        return self.wrong - len(self.problems)

    def tell(self, line: int, words: str) -> None:
        self.wrong += 1
        if len(self.problems) < MOST_TOLD:
            self.problems.append(Problem(line, words))


class Allowed:
    """The models that a key may use in its workspace; `catalog` are the workspace's."""

    def __init__(self, catalog: Catalog, key: ApiKey | None) -> None:
        self._catalog = catalog
        self._rules = rules_of(("", key.allowed_models, key.denied_models)) if key is not None else ()

    def __contains__(self, name: str) -> bool:
        model = self._catalog.find(name)
        return model is not None and all(rule.permit(model.names) for rule in self._rules)


def check(file: UploadedFile[Any], allowed: Allowed) -> Checked:
    checked, items, lines = Checked(), Items(), list[int]()
    for line, raw in _lines(file):
        if checked.total + checked.wrong >= MOST_ITEMS:
            checked.tell(line, f"a batch has at most {MOST_ITEMS:,} requests")
            break
        try:
            item = _checked(items, raw, line, lines)
            _check_params(item, allowed)
        except InvalidRequest as refused:
            checked.tell(line, _told(refused.message, lines))
            continue
        checked.total += 1
        checked.models[item.model] = checked.models.get(item.model, 0) + 1
    if not checked.total and not checked.wrong:
        checked.tell(0, "The file has no requests.")
    return checked


def _checked(items: Items, raw: bytes, line: int, lines: list[int]) -> Item:
    """`lines` gets the line of each request that is counted, right or wrong, since others may have its custom id."""
    number = len(items)
    try:
        return items.checked(raw)
    except InvalidRequest as refused:
        raise InvalidRequest(refused.message.removeprefix(f"requests.{number}").lstrip(".: ")) from None
    finally:
        lines += [line] * (len(items) - number)


def items_of(file: UploadedFile[Any]) -> Iterator[Item]:
    """Of a file that was right. Raises `InvalidRequest` where it is not."""
    items = Items()
    for _, raw in _lines(file):
        yield items.checked(raw)


def _lines(file: UploadedFile[Any]) -> Iterator[tuple[int, bytes]]:
    """Those that are not empty, with their numbers."""
    file.seek(0)
    lines: Iterable[bytes] = file.file
    for number, raw in enumerate(lines, start=1):
        text = raw.removeprefix(BYTE_ORDER_MARK) if number == 1 else raw
        if text.strip():
            yield number, text.strip()


def _check_params(item: Item, allowed: Allowed) -> None:
    try:
        params = _params.decode(item.params)
    except msgspec.DecodeError as problem:
        raise InvalidRequest(f"params: {problem}") from None
    if params.model not in allowed:
        raise InvalidRequest(f"params.model: {params.model[:100]!r} is no model that this key may use here")


def _told(message: str, lines: list[int]) -> str:
    """Other requests are named by their lines, too."""
    return _PLACE.sub(lambda found: f"line {lines[int(found[1])]}", message)
