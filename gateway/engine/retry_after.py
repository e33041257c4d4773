"""How long a provider asks to be left alone, from its answer's headers."""

from __future__ import annotations

import datetime
from email.utils import parsedate_to_datetime


def retry_after(headers: list[tuple[bytes, bytes]]) -> float | None:
    """Seconds, from `retry-after-ms` or `retry-after` (a number or a date); None where neither can be read."""
    told = {name.lower(): value.decode("latin-1").strip() for name, value in headers}
    milliseconds, seconds = told.get(b"retry-after-ms", ""), told.get(b"retry-after", "")
    if (number := _number(milliseconds)) is not None:
        return number / 1000
    if (number := _number(seconds)) is not None:
        return number
    try:
        date = parsedate_to_datetime(seconds)
    except ValueError:
        return None
    if date.tzinfo is None:
        date = date.replace(tzinfo=datetime.UTC)
    return max(0.0, (date - datetime.datetime.now(datetime.UTC)).total_seconds())


def _number(text: str) -> float | None:
    """A plain decimal number from 0; words that Python reads as numbers (`nan`, `1_0`) are none."""
    return float(text[:20]) if text.replace(".", "", 1).isdigit() and text.isascii() else None
