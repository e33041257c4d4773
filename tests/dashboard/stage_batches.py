"""A batch of which some requests failed, with what was asked and answered."""

from __future__ import annotations

import datetime
import json

from django.utils import timezone

from gateway.batch_states import ItemState
from gateway.models import ApiKey, BatchItem
from tests.batches.rows import batch_of
from tests.people import Cast

TOTAL = 60
LONG_ID = "evaluation-of-the-prompt-that-support-wrote-last-year_0123456789"
ERRORS = (
    ("overloaded_error", "Overloaded"),
    ("invalid_request_error", "messages.0.content: text content blocks must be non-empty"),
    ("not_found_error", "model: claude-with-a-name-that-nobody-serves-and-that-is-long-" + "x" * 120),
)


def made(cast: Cast, key: ApiKey) -> dict[str, str]:
    minute = datetime.timedelta(minutes=1)
    batch = batch_of(
        cast.acme,
        api_key_id=key.id,
        model_names=["claude-sonnet-5-5"],
        status="ended",
        total=TOTAL,
        succeeded=TOTAL * 2 // 3,
        errored=TOTAL // 3,
        age=300 * minute,
        ended_at=timezone.now() - 270 * minute,
    )
    BatchItem.objects.bulk_create(_item(batch.id, number) for number in range(TOTAL))
    return {"failed": batch.id}


def _item(batch_id: str, number: int) -> BatchItem:
    custom_id = LONG_ID if number == 1 else f"ticket-{number:04}"
    failed = number % 3 == 1
    result = _error(number) if failed else _answer(number)
    return BatchItem(
        batch_id=batch_id,
        number=number,
        custom_id=custom_id,
        params=json.dumps(
            {"model": "claude-sonnet-5-5", "max_tokens": 256, "messages": _asked(number)}
        ).encode(),
        state=int(ItemState.ERRORED if failed else ItemState.SUCCEEDED),
        tries=3 if failed else 1,
        result=json.dumps({"custom_id": custom_id, "result": result}).encode(),
    )


def _asked(number: int) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"Sum up ticket {number} in one sentence."}]


def _error(number: int) -> dict[str, object]:
    type, message = ERRORS[number // 3 % len(ERRORS)]
    return {"type": "errored", "error": {"type": "error", "error": {"type": type, "message": message}}}


def _answer(number: int) -> dict[str, object]:
    usage = {"input_tokens": 20 + number, "output_tokens": 34}
    return {"type": "succeeded", "message": {"content": [], "usage": usage, "stop_reason": "end_turn"}}
