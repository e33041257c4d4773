"""The requests of a batch as a table has them, and one of them whole: whatever they hold is text."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

from django import forms

from admin_api.queries.batch_items import STATES, Item, batch_item, batch_items
from dashboard.forms.form import Form
from dashboard.frame import figures
from gateway.batches.progress import ENDED
from gateway.errors import NotFound
from gateway.models import BatchItem, MessageBatch

ON_A_PAGE = 25
LONGEST_ID = 64
LONGEST_WORDS = 300
LARGEST_TEXT = 100_000  # characters of a request or an answer that a page shows
LARGEST_READ = 1024 * 1024  # bytes
KINDS = {"succeeded": "good", "errored": "bad", "expired": "warn", "processing": "in_progress"}


class ItemsForm(Form):
    """Sent by GET, so that what is looked for is in the address."""

    state = forms.ChoiceField(
        label="State", required=False, choices=[("", "All"), *((name, name.capitalize()) for name in STATES)]
    )
    custom_id = forms.CharField(
        label="Custom id",
        required=False,
        max_length=LONGEST_ID,
        widget=forms.TextInput({"autocomplete": "off", "spellcheck": "false"}),
    )


@dataclasses.dataclass(frozen=True)
class Row:
    """`kind` is the look of its state; `words` what came of it."""

    number: int
    custom_id: str
    state: str
    kind: str
    tries: int
    words: str


@dataclasses.dataclass(frozen=True)
class Items:
    """`next` is the number behind which the next page begins, None on the last."""

    form: ItemsForm
    rows: list[Row]
    state: str
    custom_id: str
    first: bool
    next: int | None


@dataclasses.dataclass(frozen=True)
class Whole:
    """One item with its texts, cut where they are very long."""

    number: int
    custom_id: str
    state: str
    kind: str
    tries: int
    request: str
    result: str
    cut: bool


def read(batch: MessageBatch, state: str, custom_id: str, after: str) -> Items:
    """What the address asks for; what it says wrong counts as nothing said."""
    state = state if state in STATES else ""
    custom_id = "" if "\x00" in custom_id else custom_id.strip()[:LONGEST_ID]
    behind = int(after) if after.isascii() and after.isdigit() and len(after) < 10 else -1
    page = batch_items(batch, state=state, custom_id=custom_id, after=behind, limit=ON_A_PAGE)
    form = ItemsForm(initial={"state": state, "custom_id": custom_id})
    return Items(form, [_row(item) for item in page.rows], state, custom_id, behind < 0, page.next)


def whole(batch: MessageBatch, number: int) -> Whole:
    """Raises `NotFound`."""
    item: BatchItem | None = batch_item(batch, number)
    if item is None:
        raise NotFound("There is no such request in this batch.")
    state = next(name for name, states in STATES.items() if item.state in states)
    request, result = _pretty(bytes(item.params)), _pretty(bytes(item.result or b""))
    return Whole(
        number=item.number,
        custom_id=item.custom_id,
        state=state,
        kind=KINDS.get(state, "plain"),
        tries=item.tries,
        request=request[:LARGEST_TEXT],
        result=result[:LARGEST_TEXT],
        cut=max(len(request), len(result)) > LARGEST_TEXT,
    )


def may_download(batch: MessageBatch) -> bool:
    return batch.status == ENDED and batch.archived_at is None


def _row(item: Item) -> Row:
    kind = KINDS.get(item.state, "plain")
    return Row(item.number, item.custom_id, item.state, kind, item.tries, _words(item))


def _words(item: Item) -> str:
    if item.state == "processing":
        return "waits to be tried again" if item.tries > 1 else ""
    result = _result(item.result)
    if item.state == "errored":
        return _error(result)
    if item.state == "succeeded":
        return _usage(result) or f"{figures.count(item.size)} bytes"
    return ""


def _error(result: dict[str, Any]) -> str:
    """`type: message`, as the provider or the gateway said it."""
    error = _member(_member(result, "error"), "error")
    words = ": ".join(str(error[name]) for name in ("type", "message") if error.get(name))
    return words[:LONGEST_WORDS] or "no reason was given"


def _usage(result: dict[str, Any]) -> str:
    message = _member(result, "message")
    usage = _member(message, "usage")
    read, written = usage.get("input_tokens"), usage.get("output_tokens")
    if not isinstance(read, int) or not isinstance(written, int):
        return ""
    stopped = message.get("stop_reason")
    return f"{figures.count(read)} tokens in, {figures.count(written)} out" + (
        f", {str(stopped)[:40]}" if stopped else ""
    )


def _result(line: bytes | None) -> dict[str, Any]:
    try:
        return _member(json.loads(line or b"{}"), "result")
    except (ValueError, RecursionError):
        return {}


def _member(value: Any, name: str) -> dict[str, Any]:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def _pretty(text: bytes) -> str:
    """What is very large is not worth the time: it is cut anyway."""
    if len(text) > LARGEST_READ:
        return text[: LARGEST_TEXT + 1].decode(errors="replace")
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text.decode(errors="replace")
